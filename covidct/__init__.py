"""covidct: a chest CT slice in, COVID-19 Positive or Negative with its Grad-CAM out.

Research use, not a diagnosis. Importing the package is cheap: each name's module is imported when
the name is first used.
"""

import os
from importlib import import_module
from typing import Any

from covidct.errors import (
    ArchiveError,
    ConfigError,
    CovidCTError,
    DatasetError,
    ExportError,
    FetchError,
    ModelError,
    ModelIntegrityError,
    NotALungSlice,
    TrainingStopped,
    UnreadableSlice,
    UnsupportedEncoding,
)

__version__ = "0.1.0"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # where TensorFlow is imported, only errors

_LAZY = {
    "CTSlice": "covidct.imaging",
    "gate": "covidct.imaging.anatomy.gate",
    "read_slice": "covidct.imaging",
    "Classifier": "covidct.inference.classifier",
    "Prediction": "covidct.inference.classifier",
    "classify_image": "covidct.inference.classifier",
    "HeatMap": "covidct.inference.heatmap",
    "explain": "covidct.inference.heatmap",
    "overlay": "covidct.inference.heatmap",
    "Opacities": "covidct.inference.opacities",
    "find_opacities": "covidct.inference.classifier",
    "load_dataset": "covidct.data.stream",
    "train_test_split": "covidct.data.splits",
}

__all__ = [
    "ArchiveError",
    "CTSlice",
    "Classifier",
    "ConfigError",
    "CovidCTError",
    "DatasetError",
    "ExportError",
    "FetchError",
    "HeatMap",
    "ModelError",
    "ModelIntegrityError",
    "NotALungSlice",
    "Opacities",
    "Prediction",
    "TrainingStopped",
    "UnreadableSlice",
    "UnsupportedEncoding",
    "classify_image",
    "explain",
    "find_opacities",
    "gate",
    "load_dataset",
    "overlay",
    "read_slice",
    "train_test_split",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
