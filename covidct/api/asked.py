"""What a request brings, in memory alone, and which pictures it asks for."""

import sys

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from covidct.imaging.formats.pixels import MAX_BYTES

OVERLAY, OPACITY_MAP = "overlay", "opacity_map"
PICTURES = (OVERLAY, OPACITY_MAP)
MOST_FILES = 1000
UNNAMED = "upload"  # what a body is called, which has no name

_FORM = "multipart/form-data"
_NO_FILE = "There is no file in the request. Send it as the body, or as a file of a form."
_NO_FORM = f"The form is damaged, or holds more than {MOST_FILES} files. Put many into a ZIP."
_TOO_LARGE = f"A file may take {MAX_BYTES // 1024**2} MB at most."
_UNKNOWN = f"Behind “?” only {' and '.join(f'{kind}=true' for kind in PICTURES)} are known."


class _InMemory(MultiPartParser):
    """Starlette's parser, of which no part touches the disk, however long it is.

    Attributes:
        is_whole: whether the form has come to its end.
    """

    spool_max_size = sys.maxsize
    is_whole = False

    def on_end(self) -> None:
        """Note that this is the end; Starlette takes a form without one for a shorter form."""
        self.is_whole = True


def pictures_of(request: Request) -> list[str]:
    """Which of :data:`PICTURES` a request asks for.

    Raises:
        HTTPException: it asks for something else.
    """
    for name, value in request.query_params.multi_items():
        if name not in PICTURES or value not in ("true", "false"):
            raise HTTPException(400, _UNKNOWN)
    return [kind for kind in PICTURES if request.query_params.get(kind) == "true"]


async def uploads_of(request: Request) -> list[tuple[str, bytes]]:
    """Names and contents of the files of a form, or of a body as one file.

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
    except (MultiPartException, ValueError) as error:
        raise HTTPException(400, _NO_FORM) from error
    try:
        if not parser.is_whole:
            raise HTTPException(400, _NO_FORM)
        return [
            (file.filename or UNNAMED, await file.read())
            for _, file in form.multi_items()
            if isinstance(file, UploadFile)
        ]
    finally:
        await form.close()
