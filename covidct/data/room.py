"""Room for data sets on the disk."""

import math

from covidct.errors import DatasetError
from covidct.messages import N_
from covidct.quota import DATA, MEGABYTE


def require_room(size: int) -> None:
    """Refuse what is to be kept where data sets take all that they may of the disk.

    Args:
        size: bytes of it.

    Raises:
        DatasetError: there is no room for it.
    """
    taken, allowed = DATA.taken(), DATA.allowed()
    if taken + size > allowed:
        raise DatasetError(
            N_(
                "Data sets take {taken:,} MB of the disk and may take {allowed:,} MB, which leaves "
                "no room for {size:,} MB. Delete some on the Training page under “On this server”, "
                "or raise {variable}, which whoever runs the server can.",
                taken=taken // MEGABYTE,
                allowed=allowed // MEGABYTE,
                size=math.ceil(size / MEGABYTE),
                variable=DATA.variable,
            )
        )
