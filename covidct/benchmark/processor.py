"""What the processor can do, as far as measured ratios depend on it."""

from pathlib import Path

_VNNI = {"avx512_vnni", "avx_vnni"}


def has_vnni(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool | None:
    """Whether it sums up products of 8-bit integers in one instruction (VNNI).

    Args:
        cpuinfo: what Linux tells of the processor.

    Returns:
        None where that is not told.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return None
    flags = next((line.split() for line in lines if line.startswith("flags")), None)
    return None if flags is None else not _VNNI.isdisjoint(flags)
