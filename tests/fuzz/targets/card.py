"""What lies beside a model, and the record of which model is in use."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from covidct.errors import CovidCTError
from covidct.inference import promotion
from covidct.inference.card import CARD_FILE, read_card

PLACE = Path(tempfile.mkdtemp(prefix="covidct-card-"))
os.environ["COVIDCT_HOME"] = str(PLACE)
(PLACE / "models").mkdir()


def target(data: bytes) -> None:
    (PLACE / CARD_FILE).write_bytes(data)
    (PLACE / "models" / "current.json").write_bytes(data)
    with suppress(CovidCTError):
        card = read_card(PLACE)
        assert card.calibration.label(0.5) in ("Positive", "Negative")
    for ask in (promotion.current_model, promotion.history, promotion.list_models):
        with suppress(CovidCTError):
            ask()
