"""What a request brings: the files of a form, or its body as one file; in memory alone."""

import sys

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from covidct.imaging.formats.pixels import MAX_BYTES

MOST_FILES = 1000
UNNAMED = "upload"  # what a body is called, which has no name

_FORM = "multipart/form-data"
_NO_FILE = "There is no file in the request. Send it as the body, or as a file of a form."
_NO_FORM = f"The form is damaged, or holds more than {MOST_FILES} files. Put many into a ZIP."
_TOO_LARGE = f"A file may take {MAX_BYTES // 1024**2} MB at most."


class _InMemory(MultiPartParser):
    """Starlette's parser, of which no part touches the disk, however long it is."""

    spool_max_size = sys.maxsize


async def uploads_of(request: Request) -> list[tuple[str, bytes]]:
    """Names and contents of what a request brings.

    Args:
        request: says how long it is, which is no more than there is room for.

    Raises:
        HTTPException: there is nothing, too much, or what cannot be read.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        uploads = await _files(request)
    elif int(request.headers["content-length"]) > MAX_BYTES:
        raise HTTPException(413, _TOO_LARGE)
    else:
        uploads = [(UNNAMED, await request.body())]
    if not any(data for _, data in uploads):
        raise HTTPException(400, _NO_FILE)
    if any(len(data) > MAX_BYTES for _, data in uploads):
        raise HTTPException(413, _TOO_LARGE)
    return uploads


async def _files(request: Request) -> list[tuple[str, bytes]]:
    parser = _InMemory(request.headers, request.stream(), max_files=MOST_FILES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise HTTPException(400, _NO_FORM) from error
    try:
        return [
            (file.filename or UNNAMED, await file.read())
            for _, file in form.multi_items()
            if isinstance(file, UploadFile)
        ]
    finally:
        await form.close()
