"""Coverage-guided fuzzing of one target by atheris, in a process that may crash.

python tests/fuzz/fuzz.py TARGET [--ours-alone] [options of libFuzzer] FOLDER OF SEEDS...

With --ours-alone coverage is that of covidct without its libraries, which take seconds to prepare.

A target takes the bytes of a file. It lets pass every `CovidCTError`, which is an answer; whatever
else is raised is a finding.
"""

import importlib
import os
import struct
import sys
import zlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import atheris

_OURS = ["covidct"]
_LIBRARIES = [
    "PIL",
    "pydicom.filereader",
    "pydicom.encaps",
    "zipfile",
    "tarfile",
    "nibabel.nifti1",
]
_PNG = b"\x89PNG\r\n\x1a\n"


def mutated(data: bytes, at_most: int, seed: int) -> bytes:
    """A mutation, its checksums set right where it is a PNG, or no decoder would look at it."""
    data = atheris.Mutate(data, at_most)
    if not data.startswith(_PNG):
        return data
    at, chunks = len(_PNG), [_PNG]
    while at + 8 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        body = data[at + 4 : at + 8 + length]
        chunks += [data[at : at + 4], body, struct.pack(">I", zlib.crc32(body))]
        at += 12 + length
    return b"".join(chunks)[:at_most]


if __name__ == "__main__":
    name = sys.argv.pop(1)
    libraries = _LIBRARIES
    if "--ours-alone" in sys.argv:
        sys.argv.remove("--ours-alone")
        libraries = []
    with atheris.instrument_imports(include=[*_OURS, *libraries]):
        target = importlib.import_module(f"targets.{name}").target
    atheris.Setup(sys.argv, target, custom_mutator=mutated)
    atheris.Fuzz()
