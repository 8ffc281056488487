"""What a file gives away without its picture, and how well that alone predicts the class."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from covidct.data.classes import COVID, own_title
from covidct.data.forest import enough_patients, forest_auc, forest_auc_of_classes
from covidct.data.index import Item
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.formats.pixels import DECODING_ERRORS
from covidct.messages import N_, Message, joined


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


def measure_shortcut_of_others(
    items: Sequence[Item], attributes: Sequence[FileAttributes], seed: int = 0
) -> Shortcut | None:
    """The same of classes without COVID-19, by the mean AUC of each against the rest of them.

    Returns:
        None where there is but one class without COVID-19.
    """
    others = {item.class_name for item in items} - {COVID}
    if len(others) < 2:
        return None
    asked = others & enough_patients(items)
    numbers = as_numbers(attributes)
    auc = forest_auc_of_classes(items, numbers, asked, seed) if len(asked) > 1 else None
    if auc is None or auc.ci95 is None:
        too_few = N_(
            "Too few patients to measure what file format and size alone tell of classes without "
            "COVID-19."
        )
        return Shortcut(None, None, too_few)
    sentence = _sentence_of_others(auc.value, *auc.ci95)
    if asked < others:
        names = joined(*(Message(own_title(name)) for name in sorted(others - asked)), by=", ")
        left_out = N_("Not asked of, for too few patients: {classes}.", classes=names)
        sentence = joined(sentence, left_out)
    return Shortcut(auc.value, auc.ci95, sentence)


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
            "File format, size and colour mode alone tell COVID-19 from the rest ({measured}): the "
            "slices were collected in different ways. Only grey pixels of the chest reach the "
            "network, but what else differs in them does too; judge the model on data of one "
            "source.",
            measured=measured,
        )
    return N_(
        "File format, size and colour mode do not tell COVID-19 from the rest ({measured}).",
        measured=measured,
    )


def _sentence_of_others(auc: float, low: float, high: float) -> str:
    measured = N_(
        "mean AUC of each against the rest of them {auc:.2f}, 95 % interval {low:.2f} to "
        "{high:.2f}; 0.5 is chance",
        auc=auc,
        low=low,
        high=high,
    )
    if low > 0.5:
        return N_(
            "File format, size and colour mode alone tell the classes without COVID-19 apart "
            "({measured}).",
            measured=measured,
        )
    return N_(
        "File format, size and colour mode do not tell the classes without COVID-19 apart "
        "({measured}).",
        measured=measured,
    )
