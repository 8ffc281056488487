"""What an evaluation was asked for, as its folder holds it."""

import json
from dataclasses import dataclass
from pathlib import Path

from covidct.errors import DatasetError
from covidct.evaluation.results import METRICS_FILE
from covidct.files import MALFORMED
from covidct.home import data_dir
from covidct.inference.promotion import SHIPPED_DIR
from covidct.messages import N_

REQUEST_FILE = "request.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What an evaluation was asked for.

    Attributes:
        model: a model folder.
        data: a data set folder.
        split: as :meth:`covidct.data.index.Index.subset` names it.
    """

    model: Path
    data: Path
    split: str


def read_request(folder: Path) -> Request:
    """What an evaluation was asked for; of a shipped one, where its data would be here.

    Raises:
        DatasetError: that cannot be read.
    """
    try:
        if is_shipped(folder):
            figures = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
            return Request(folder.parent, data_dir() / figures["data"], str(figures["split"]))
        values = json.loads((folder / REQUEST_FILE).read_text(encoding="utf-8"))
        return Request(Path(values["model"]), Path(values["data"]), str(values["split"]))
    except (OSError, *MALFORMED) as error:
        raise DatasetError(N_("What this evaluation was asked for cannot be read.")) from error


def is_shipped(folder: Path) -> bool:
    """Whether it is of a shipped model, so that no process on this computer made it."""
    return folder.parent.parent == SHIPPED_DIR
