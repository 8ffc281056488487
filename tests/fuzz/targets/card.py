"""What lies beside a model, and the record of which model is in use."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from covidct.errors import CovidCTError
from covidct.inference import promotion, store

PLACE = Path(tempfile.mkdtemp(prefix="covidct-card-"))
os.environ["COVIDCT_HOME"] = str(PLACE)
(PLACE / "models").mkdir()


def target(data: bytes) -> None:
    (PLACE / store.CARD_FILE).write_bytes(data)
    (PLACE / "models" / "current.json").write_bytes(data)
    with suppress(CovidCTError):
        card = store.read_card(PLACE)
        assert card.calibration.label(0.5) in ("Positive", "Negative")
    for ask in (promotion.current_model, promotion.history, promotion.list_models):
        with suppress(CovidCTError):
            ask()
