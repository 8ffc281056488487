"""What a file gives away without its picture, and how well that alone predicts the class."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from io import BytesIO

import numpy as np
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from covidct.data.index import Item
from covidct.data.splits import folds_by_patient
from covidct.imaging.ct_slice import CTSlice
from covidct.imaging.pixels import DECODING_ERRORS

_FOLDS, _TREES, _RESAMPLES = 5, 100, 300


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
    labels = np.array([item.label for item in items])
    patients = np.array([item.patient for item in items])
    fewest = min(len(set(patients[labels == label])) for label in (0, 1))
    if fewest < _FOLDS:
        return Shortcut(
            None, None, "Too few patients to measure what file format and size alone predict."
        )
    values, position = _as_numbers(attributes), {item.path: i for i, item in enumerate(items)}
    scores = np.empty(len(labels))
    for training, test in folds_by_patient(tuple(items), _FOLDS, seed):
        known, asked = ([position[item.path] for item in part] for part in (training, test))
        forest = RandomForestClassifier(
            _TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed
        )
        forest.fit(values[known], labels[known])
        scores[asked] = forest.predict_proba(values[asked])[:, 1]
    auc = float(roc_auc_score(labels, scores))
    low, high = _interval(labels, scores, patients, seed)
    return Shortcut(auc, (low, high), _sentence(auc, low, high))


def _as_numbers(attributes: Sequence[FileAttributes]) -> np.ndarray:
    """float (N, 6); names as ranks, which is all that trees need."""
    columns = [np.array(column) for column in zip(*map(astuple, attributes), strict=True)]
    ranks = [np.unique(column, return_inverse=True)[1] for column in columns[:2]]
    return np.stack([*ranks, *columns[2:]], axis=1).astype(float)


def _interval(
    labels: np.ndarray, scores: np.ndarray, patients: np.ndarray, seed: int
) -> tuple[float, float]:
    """Percentiles of the AUC over samples that draw whole patients within each class."""
    rng = np.random.default_rng(seed)
    names, patient = np.unique(patients, return_inverse=True)
    of_class = [np.unique(patient[labels == label]) for label in (0, 1)]
    aucs = []
    for _ in range(_RESAMPLES):
        drawn = np.concatenate([rng.choice(those, len(those)) for those in of_class])
        weights = np.bincount(drawn, minlength=len(names))[patient]
        aucs.append(roc_auc_score(labels, scores, sample_weight=weights))
    low, high = np.percentile(aucs, (2.5, 97.5))
    return float(low), float(high)


def _sentence(auc: float, low: float, high: float) -> str:
    measured = f"AUC {auc:.2f}, 95 % interval {low:.2f} to {high:.2f}; 0.5 is chance"
    if low > 0.5:
        return (
            f"File format, size and colour mode alone tell the classes apart ({measured}): they "
            "were collected in different ways. Only grey pixels of the chest reach the network, "
            "but what else differs in them does too; judge the model on data of one source."
        )
    return f"File format, size and colour mode do not tell the classes apart ({measured})."
