"""Where things are: what is shipped, and this machine's data sets, runs and promoted models."""

import os
from pathlib import Path

HOME_VARIABLE = "COVIDCT_HOME"
FOLDERS_VARIABLE = "COVIDCT_DATA_FOLDERS"
PACKAGE = Path(__file__).absolute().parent
IS_INSTALLED = (PACKAGE / "_shipped").is_dir()  # by pip, instead of run from its repository
SHIPPED = PACKAGE / "_shipped" if IS_INSTALLED else PACKAGE.parent  # weights, app.py, .streamlit
CALLER = PACKAGE.parent  # the folder from which a process finds this very package


def home() -> Path:
    """Return the folder named by COVIDCT_HOME; not created.

    By default it is .covidct in the repository, or in the user's home once covidct is installed.
    """
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().resolve()
    return (Path.home() if IS_INSTALLED else CALLER) / ".covidct"


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


def opacities_dir() -> Path:
    """Return the folder in which the pages look for what ``train-opacities`` wrote, one folder a
    network; not created."""
    return home() / "opacities"


def models_dir() -> Path:
    """Return the folder of promoted models and the note of which is in use; not created."""
    return home() / "models"
