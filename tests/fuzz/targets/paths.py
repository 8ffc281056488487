"""A ZIP of small files whose paths are the lines."""

import zipfile
from io import BytesIO

from targets import archive


def target(data: bytes) -> None:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for number, line in enumerate(data.split(b"\n")):
            entry = zipfile.ZipInfo("-")
            packed.writestr(entry, b"%d" % number)
            entry.filename = line.decode("utf-8", "replace")
    archive.target(file.getvalue())
