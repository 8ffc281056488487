"""TrainConfig: every hyper-parameter of a run, with the default that gives a good one."""

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from covidct.data.augment import Augmentation
from covidct.data.reencode import REENCODED
from covidct.errors import ConfigError
from covidct.imaging.anatomy.thorax_crop import chest_grid
from covidct.messages import N_
from covidct.models.backbones import get_backbone, get_preprocess_input

RANGES = {
    "image_size": (64, 1024),
    "epochs": (0, 1000),
    "batch_size": (1, 512),
    "learning_rate": (1e-7, 1.0),
    "weight_decay": (0.0, 1.0),
    "dropout": (0.0, 0.9),
    "label_smoothing": (0.0, 0.5),
    "trainable_share": (0.0, 1.0),
    "probe_views": (0, 64),
    "early_stopping": (0, 1000),
    "validation_share": (0.05, 0.5),
    "seed": (0, 2**31 - 1),
    "rotation_degrees": (0.0, 180.0),
    "shift_horizontal": (0.0, 0.5),
    "shift_vertical": (0.0, 0.5),
    "zoom": (0.0, 0.9),
    "contrast": (0.0, 0.9),
    "brightness": (0.0, 0.9),
    "gamma": (0.0, 0.9),
    "resolution": (0.0, 0.9),
    "noise": (0.0, 0.5),
    "blur": (0.0, 0.1),
    "compression": (0.0, 0.95),
}
_FOLD = re.compile(r"([0-9]{1,2})/([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a run depends on beside the data.

    Raises:
        ConfigError: a value is out of range; the sentence names the setting and the range.
    """

    backbone: str = "astra_lite"
    image_size: int | None = None  # columns of the input; None is what suits the backbone
    pixel_scaling: str = "backbone"  # the backbone's preprocess_input, or "unit": division by 255
    pretrained: bool = True  # start from the backbone's pretrained weights
    probe_views: int = 8  # of each slice, to solve the head on first; 0 leaves it random
    epochs: int | None = None  # of fine-tuning; None is what suits the backbone
    batch_size: int = 16
    # Peak, reached after the first epoch, then decayed by a cosine; None is what suits the backbone
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    dropout: float = 0.3
    label_smoothing: float = 0.05
    trainable_share: float = 0.25  # of the backbone's layers, counted from the head
    class_weights: bool = True
    early_stopping: int = 0  # epochs without a better validation AUC; 0 trains to the end
    official_lists: bool = True  # split by them where the data set has them
    validation_share: float = 0.2  # of the slices, where no official lists are used
    fold: str = ""  # "2/5" validates on the second of five folds of patients, whatever lists say
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        get_preprocess_input(self.backbone, self.pixel_scaling)
        self.fold_of_folds  # noqa: B018 - it raises where it is malformed
        for name, value in self.as_flat_dict().items():
            if value is None or name not in RANGES:
                continue
            low, high = RANGES[name]
            if not low <= value <= high:
                raise ConfigError(
                    N_(
                        "{name} must lie between {low:g} and {high:g}, not {value:g}.",
                        name=name,
                        low=low,
                        high=high,
                        value=value,
                    )
                )
        if not self.planned_epochs:
            raise ConfigError(
                N_(
                    "Nothing would be learnt: ask for epochs of fine-tuning, or for a view of each "
                    "slice to solve the head on (probe_views)."
                )
            )

    @property
    def fold_of_folds(self) -> tuple[int, int] | None:
        """Which fold is validated on, from 1, and of how many; None where there are no folds.

        Raises:
            ConfigError: :attr:`fold` is malformed.
        """
        if not self.fold:
            return None
        found = _FOLD.fullmatch(self.fold)
        fold, folds = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= fold <= folds or folds < 2:
            raise ConfigError(
                N_("A fold is written as in 2/5, the second of five, not “{fold}”.", fold=self.fold)
            )
        return fold, folds

    @property
    def input_size(self) -> tuple[int, int]:
        """Rows and columns of the network's input."""
        return chest_grid(self.image_size or int(suits(self.backbone)["image_size"]))

    @property
    def finetuning_epochs(self) -> int:
        """How often every training slice is seen while the backbone is trained, too."""
        return int(suits(self.backbone)["epochs"]) if self.epochs is None else self.epochs

    @property
    def peak_learning_rate(self) -> float:
        """Of fine-tuning."""
        return self.learning_rate or suits(self.backbone)["learning_rate"]

    @property
    def planned_epochs(self) -> int:
        """Rows of figures that a run gives: its epochs of fine-tuning, or, where there are none,
        the views of the slices that the head is solved on one after the other."""
        views = self.probe_views and self.probe_views + len(REENCODED)
        return self.finetuning_epochs or views

    def as_flat_dict(self) -> dict[str, Any]:
        """All settings by name, those of the augmentation among them."""
        flat = asdict(self)
        return flat | flat.pop("augmentation")

    @classmethod
    def from_flat_dict(cls, settings: dict[str, Any]) -> "TrainConfig":
        """The inverse of :meth:`as_flat_dict`; settings that are absent take their defaults.

        Raises:
            ConfigError: a name is unknown or a value out of range.
        """
        geometry = {f.name for f in fields(Augmentation)}
        own = {f.name for f in fields(cls)} - {"augmentation"}
        unknown = settings.keys() - geometry - own
        if unknown:
            raise ConfigError(
                N_("Unknown settings: {unknown}.", unknown=", ".join(sorted(unknown)))
            )
        return cls(
            **{name: value for name, value in settings.items() if name in own},
            augmentation=Augmentation(
                **{name: value for name, value in settings.items() if name in geometry}
            ),
        )


def suits(backbone: str) -> dict[str, float]:
    """What a backbone brings for the settings that are None by default, by their names."""
    chosen = get_backbone(backbone)
    return {
        "image_size": chosen.image_size,
        "epochs": chosen.finetuning_epochs,
        "learning_rate": chosen.learning_rate,
    }


def default_settings() -> dict[str, Any]:
    """The defaults as :meth:`TrainConfig.as_flat_dict` gives them, without TensorFlow."""
    own = {f.name: f.default for f in fields(TrainConfig) if f.name != "augmentation"}
    return own | asdict(Augmentation())
