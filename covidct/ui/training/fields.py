"""The settings of a run as a person meets them: titles, order, help; no Streamlit here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from covidct.messages import N_
from covidct.training.config import RANGES, default_settings


@dataclass(frozen=True, slots=True)
class Field:
    """One setting.

    Attributes:
        name: of the setting in TrainConfig.
        title: its name for people.
        help: one sentence: what it does and when to change it.
        step: of a number.
        form: printf-style format of a number, or "percent".
        highest: the upper end of a slider; None for what is typed.
    """

    name: str
    title: str
    help: str
    step: float | None = None
    form: str | None = None
    highest: float | None = None


BASICS = (
    Field(
        "backbone",
        N_("Network"),
        N_("What the slices are seen with. Larger ones learn more slowly."),
    ),
    Field(
        "image_size",
        N_("Image size"),
        N_("Columns in pixels, with three quarters as many rows. Empty is what suits the network."),
        step=32,
    ),
    Field(
        "epochs",
        N_("Epochs of fine-tuning"),
        N_(
            "How often every training slice is seen while the network itself is trained. Empty is "
            "what suits the network: 0 for Astra, whose head is fitted instead, 12 for "
            "EfficientNet, 4 for VGG16."
        ),
        step=1,
    ),
    Field(
        "batch_size",
        N_("Batch size"),
        N_("Slices a step. Halve it when memory runs out."),
        step=4,
    ),
)
LEARNING = (
    Field(
        "learning_rate",
        N_("Learning rate"),
        N_(
            "The peak, reached after the first epoch and then lowered along a cosine. Empty is "
            "what suits the network: 0.00001 for Astra, 0.0001 for the others."
        ),
        step=0.00005,
        form="%g",
    ),
    Field(
        "trainable_share",
        N_("Share of the network to train"),
        N_("Counted from the output; the rest keeps its weights. 100% trains everything."),
        step=0.05,
        form="percent",
        highest=1.0,
    ),
    Field(
        "early_stopping",
        N_("Stop early after"),
        N_("Epochs without a better validation AUC; 0 trains to the end."),
        step=1,
    ),
    Field(
        "dropout", N_("Dropout"), N_("Share of features hidden at random."), step=0.05, form="%g"
    ),
    Field(
        "weight_decay", N_("Weight decay"), N_("Pulls weights towards zero."), step=0.005, form="%g"
    ),
    Field(
        "label_smoothing",
        N_("Label smoothing"),
        N_("How far labels are moved from certainty; helps where some may be wrong."),
        step=0.01,
        form="%g",
    ),
    Field("class_weights", N_("Weigh classes alike"), N_("However many slices each has.")),
    Field(
        "pretrained",
        N_("Start from pretrained weights"),
        N_("Learnt from chest CT or photographs; without them, many more slices are needed."),
    ),
    Field(
        "probe_views",
        N_("Views to solve the head on"),
        N_(
            "How often each slice is shown, changed at random, to find the best linear head on, "
            "beside three files made of it. Without fine-tuning each view is an epoch; 0 skips it."
        ),
        step=1,
    ),
    Field(
        "pixel_scaling",
        N_("Pixel values"),
        N_("As the network was pretrained with, or simply divided by 255."),
    ),
)
VALIDATION = (
    Field(
        "official_lists",
        N_("Use official lists"),
        N_(
            "Where the data set names its training and validation slices. Off, whole patients are "
            "drawn anew; slices of a test list are never used."
        ),
    ),
    Field(
        "validation_share",
        N_("Set aside for validation"),
        N_("Share of the slices, whole patients, where no official lists are used."),
        step=0.05,
        form="%g",
    ),
    Field("seed", N_("Seed"), N_("Decides the split, the order and all other chance."), step=1),
)
# Set by a sweep, and not in the form
SWEPT = (Field("fold", N_("Fold"), N_("Of patients, to validate on, and of how many: 2/5.")),)
AUGMENTATION = (
    Field("rotation_degrees", N_("Rotation"), N_("To either side."), 1.0, "%d°", highest=45.0),
    Field(
        "shift_horizontal", N_("Shift sideways"), N_("Of the width."), 0.01, "percent", highest=0.3
    ),
    Field(
        "shift_vertical",
        N_("Shift up and down"),
        N_("Of the height."),
        0.01,
        "percent",
        highest=0.3,
    ),
    Field("zoom", N_("Zoom"), N_("In or out."), 0.01, "percent", highest=0.5),
    Field("contrast", N_("Contrast"), N_("Around mid-grey."), 0.01, "percent", highest=0.6),
    Field("brightness", N_("Brightness"), N_("Of the full range."), 0.01, "percent", highest=0.5),
    Field("gamma", N_("Gamma"), N_("Change of the exponent."), 0.01, "percent", highest=0.6),
    Field(
        "resolution",
        N_("Loss of resolution"),
        N_("Half of the slices are reduced by up to this and enlarged again."),
        0.05,
        "percent",
        highest=0.9,
    ),
    Field("noise", N_("Noise"), N_("Of the full range."), 0.01, "percent", highest=0.2),
    Field(
        "compression",
        N_("JPEG compression"),
        N_("Half of the slices are stored as JPEG, of a quality lower by up to this."),
        0.05,
        "percent",
        highest=0.9,
    ),
    Field(
        "blur",
        N_("Blur"),
        N_("Of the width, for half of the slices."),
        0.001,
        "percent",
        highest=0.02,
    ),
    Field(
        "marks", N_("Arrows and letters"), N_("Drawn on a quarter of the slices, as in figures.")
    ),
    Field("flip", N_("Mirror left and right"), N_("In half of the cases.")),
)
# Options of settings that are chosen from a list, in words
CHOICES = {
    "backbone": {
        "astra_lite": N_("Astra ResNet and EfficientNet-Lite1 (chest CT and photographs)"),
        "astra_resnet": N_("Astra ResNet (pretrained on chest CT)"),
        "efficientnet_lite0": N_("EfficientNet-Lite0 (small, quick)"),
        "efficientnet_lite1": N_("EfficientNet-Lite1"),
        "efficientnet_lite2": N_("EfficientNet-Lite2 (larger, slower)"),
        "vgg16": N_("VGG16 (large; its weights are downloaded)"),
    },
    "pixel_scaling": {
        "backbone": N_("As the network was pretrained with"),
        "unit": N_("Divided by 255"),
    },
}
FIELDS = {field.name: field for field in (*BASICS, *LEARNING, *VALIDATION, *SWEPT, *AUGMENTATION)}


def problems(settings: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each setting that is wrong, in words for beside its field."""
    optional = {name for name, default in default_settings().items() if default is None}
    found: dict[str, str] = {}
    for name, value in settings.items():
        low, high = RANGES.get(name, (None, None))
        if value is None:
            if name not in optional:
                found[name] = N_("Enter a value.")
        elif low is not None and not low <= value <= high:
            found[name] = N_("Enter a value from {low:g} to {high:,g}.", low=low, high=high)
    return found


def differences(
    settings: Mapping[str, Mapping[str, Any]],
) -> list[tuple[str, dict[str, Any]]]:
    """What the settings of several runs do not share.

    Args:
        settings: flat settings by the run's name.

    Returns:
        (title, value by run) of each setting that is not the same in all, in the order of the
        form; settings that the form does not know come last under their own name.
    """
    names = dict.fromkeys((*FIELDS, *(name for flat in settings.values() for name in flat)))
    rows = []
    for name in names:
        values = {run: flat.get(name) for run, flat in settings.items()}
        if len({repr(value) for value in values.values()}) > 1:
            title = FIELDS[name].title if name in FIELDS else name
            rows.append((title, values))
    return rows
