"""What made an object and which series it opens, as highdicom wants it said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydicom.uid import generate_uid

import covidct

if TYPE_CHECKING:
    from covidct.inference.card import ModelCard

MAKER = "covidct"
_LONGEST = 64  # characters of a value of VR LO


def new_series(card: ModelCard, number: int, title: str) -> dict[str, Any]:
    """A series of one object by a model, as keywords of highdicom's constructors.

    Args:
        card: of the model, which stands for the device; its hash is the serial number.
        number: of the series.
        title: what is in it.
    """
    return {
        "series_instance_uid": generate_uid(),
        "series_number": number,
        "series_description": f"covidct {title}, research use only",
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": MAKER,
        "manufacturer_model_name": device_name(card),
        "device_serial_number": card.sha256,
        "software_versions": covidct.__version__,
    }


def device_name(card: ModelCard) -> str:
    """The name of a model within the bounds of VR LO (PS3.5 section 6.2)."""
    return card.name.replace("\\", "/")[:_LONGEST]
