"""What a file gives away without its picture, and how well that alone predicts the class."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from covidct.data.forest import forest_auc
from covidct.data.index import Item
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats.pixels import DECODING_ERRORS
from covidct.messages import N_


@dataclass(frozen=True, slots=True)
class FileAttributes:
    """One file as seen from outside: format and colour mode by name, sizes in bytes and pixels."""

    kind: str
    mode: str
    size: int
    width: int
    height: int
    aspect: float


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well the class can be told from file attributes alone.

    Attributes:
        auc: area under the ROC curve in patient-grouped cross-validation, 0.5 is chance; None
            where there are too few patients.
        auc_ci95: its 95 % interval by a bootstrap over patients, or None.
        sentence: what that means.
    """

    auc: float | None
    auc_ci95: tuple[float, float] | None
    sentence: str

    @property
    def is_warning(self) -> bool:
        """Whether the attributes tell more than chance would."""
        return self.auc_ci95 is not None and self.auc_ci95[0] > 0.5


def file_attributes(data: bytes, ct_slice: CTSlice) -> FileAttributes:
    """Attributes of a file that was read as a slice."""
    height, width = ct_slice.pixels.shape
    return FileAttributes(ct_slice.source, _mode(data), len(data), width, height, width / height)


def _mode(data: bytes) -> str:
    """Pillow's name of the colour mode, empty for DICOM and for what Pillow alone does not open."""
    try:
        with Image.open(BytesIO(data)) as image:
            return image.mode
    except DECODING_ERRORS:
        return ""


def measure_shortcut(
    items: Sequence[Item], attributes: Sequence[FileAttributes], seed: int = 0
) -> Shortcut:
    """Predict the class from the attributes by a random forest, never from the same patient.

    Args:
        items: whose labels and patients count.
        attributes: of the items, in their order.
        seed: of folds, forest and bootstrap.
    """
    auc = forest_auc(items, as_numbers(attributes), seed)
    if auc is None or auc.ci95 is None:
        return Shortcut(
            None, None, N_("Too few patients to measure what file format and size alone predict.")
        )
    return Shortcut(auc.value, auc.ci95, _sentence(auc.value, *auc.ci95))


def as_numbers(attributes: Sequence[FileAttributes]) -> np.ndarray:
    """float (N, 6), a column for each field; names as ranks, which is all that trees need."""
    columns = [np.array(column) for column in zip(*map(astuple, attributes), strict=True)]
    ranks = [np.unique(column, return_inverse=True)[1] for column in columns[:2]]
    return np.stack([*ranks, *columns[2:]], axis=1).astype(float)


def _sentence(auc: float, low: float, high: float) -> str:
    measured = N_(
        "AUC {auc:.2f}, 95 % interval {low:.2f} to {high:.2f}; 0.5 is chance",
        auc=auc,
        low=low,
        high=high,
    )
    if low > 0.5:
        return N_(
            "File format, size and colour mode alone tell the classes apart ({measured}): they "
            "were collected in different ways. Only grey pixels of the chest reach the network, "
            "but what else differs in them does too; judge the model on data of one source.",
            measured=measured,
        )
    return N_(
        "File format, size and colour mode do not tell the classes apart ({measured}).",
        measured=measured,
    )
