"""Where this machine's own data sets, training runs and promoted models are kept."""

import os
from pathlib import Path

HOME_VARIABLE = "COVIDCT_HOME"
FOLDERS_VARIABLE = "COVIDCT_DATA_FOLDERS"
REPOSITORY = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Return the folder named by COVIDCT_HOME, or .covidct in the repository; not created."""
    named = os.environ.get(HOME_VARIABLE)
    return Path(named).expanduser().resolve() if named else REPOSITORY / ".covidct"


def data_dir() -> Path:
    """Return the folder of data sets that were fetched or uploaded; not created."""
    return home() / "data"


def data_folders() -> tuple[Path, ...]:
    """Return the folders in which the pages may read data sets: the home, and what
    COVIDCT_DATA_FOLDERS names, separated as in PATH."""
    named = os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)
    return (home(), *(Path(folder).expanduser().resolve() for folder in named if folder))


def runs_dir() -> Path:
    """Return the folder of training runs, one folder a run; not created."""
    return home() / "runs"


def evaluations_dir() -> Path:
    """Return the folder of evaluations, one folder each; not created."""
    return home() / "evaluations"


def models_dir() -> Path:
    """Return the folder of promoted models and the note of which is in use; not created."""
    return home() / "models"
