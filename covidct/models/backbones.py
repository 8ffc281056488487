"""The table of backbones: architecture, input size, normalisation and pretrained weights.

Reading the table imports neither Keras nor TensorFlow; building a network from it does.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from covidct.errors import ConfigError, ModelIntegrityError
from covidct.home import SHIPPED
from covidct.imaging.anatomy.thorax_crop import chest_grid
from covidct.messages import N_
from covidct.runtime.graph import WrongHash, read_verified

if TYPE_CHECKING:
    import keras
    from keras import KerasTensor

PIXEL_SCALINGS = ("backbone", "unit")
ASTRA_OPACITIES = "astra_opacities"  # of single places of Astra's maps
PRETRAINED_DIR = SHIPPED / "weights" / "pretrained"
_CAFFE_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red


def lite_preprocess_input(images: np.ndarray) -> np.ndarray:
    """(x - 127) / 128, as EfficientNet-Lite was trained on ImageNet; any shape, 0 to 255 in."""
    return (images - 127.0) / 128.0


def unit_preprocess_input(images: np.ndarray) -> np.ndarray:
    """Division by 255; any shape, 0 to 255 in, 0 to 1 out."""
    return images / 255.0


def vgg16_preprocess_input(images: np.ndarray) -> np.ndarray:
    """Channels reversed, ImageNet's mean colour subtracted; (…, 3), 0 to 255 in.

    As ``keras.applications.vgg16.preprocess_input``, without TensorFlow.
    """
    return images[..., ::-1] - np.array(_CAFFE_MEANS, images.dtype)


@dataclass(frozen=True, slots=True)
class Part:
    """Feature maps of a trunk on which a head of their own is solved.

    What is fixed here was chosen by patient-grouped cross-validation on COVID-CT's train and
    validation lists.

    Attributes:
        name: what the maps are.
        maps: how many of the trunk's they are.
        inverse_regularisation: of the logistic regression; None of a single map that is a logit
            itself, so that there is nothing to solve.
        weight: of its logit in the sum.
    """

    name: str
    maps: int = 1
    inverse_regularisation: float | None = 0.02
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Trunk:
    """A convolutional network without its head.

    Attributes:
        name: of what it was pretrained as.
        features: (N, h, w, channels) -> maps (N, h', w', C), one or more, added to the graph layer
            by layer.
        parts: of its maps, in their order.
        scale: of the picture that it is shown, against the network's input.
        gains_by_mirror: whether a mirrored network shows it the mirror image as well.
    """

    name: str
    features: Callable[[KerasTensor], list[KerasTensor]]
    parts: tuple[Part, ...] = (Part("all"),)
    scale: float = 1.0
    gains_by_mirror: bool = True


@dataclass(frozen=True, slots=True)
class Backbone:
    """A convolutional network without its head, or several side by side.

    Attributes:
        name: key in :data:`BACKBONES`.
        image_size: columns of its input; with three quarters as many rows about as many pixels as
            it was pretrained with.
        preprocess_input: normalisation of (N, h, w, 3) from 0..255 that its pretrained weights
            need.
        trunks: where its maps come from. Networks that were pretrained on different pictures err
            on different slices, so the sum of their logits errs less (Hansen and Salamon 1990,
            doi:10.1109/34.58871).
        load_pretrained: fills the layers of a model made from the trunks with weights learnt from
            chest CT (Astra) or from ImageNet (the others).
        pools_deviation: pool each map's mean absolute deviation beside its mean.
        channel_offsets: what ``preprocess_input`` gives each channel beyond the first for the same
            grey level; empty where all channels are the same, so that one is enough.
        finetuning_epochs: that follow once the head is solved, unless a run asks for others.
        learning_rate: the peak that suits fine-tuning, unless a run asks for another.
    """

    name: str
    image_size: int
    preprocess_input: Callable[[np.ndarray], np.ndarray]
    trunks: tuple[Trunk, ...]
    load_pretrained: Callable[[keras.Model], None]
    pools_deviation: bool = False
    channel_offsets: tuple[float, ...] = ()
    finetuning_epochs: int = 4
    learning_rate: float = 1e-4

    @property
    def input_size(self) -> tuple[int, int]:
        """Rows and columns of the input that suits it."""
        return chest_grid(self.image_size)

    @property
    def has_opacity_places(self) -> bool:
        """Whether a layer of it tells opacities place by place, learnt from drawn masks."""
        return _ASTRA in self.trunks


def _lite(variant: int, image_size: int, width: float, depth: float) -> Backbone:
    name = f"efficientnet_lite{variant}"

    def features(images: KerasTensor) -> list[KerasTensor]:
        from covidct.models.efficientnet_lite import efficientnet_lite

        return [efficientnet_lite(images, width, depth)]

    return Backbone(
        name=name,
        image_size=image_size,
        preprocess_input=lite_preprocess_input,
        trunks=(Trunk("only", features),),
        load_pretrained=lambda model: _set_weights(model, read_pretrained_weights(name)),
        finetuning_epochs=12,
    )


_LITE_PREFIX, _LITE_WIDTH, _LITE_DEPTH = "lite_", 1.0, 1.1  # of EfficientNet-Lite1


def _early_lite(images: KerasTensor) -> list[KerasTensor]:
    """EfficientNet-Lite1's widest maps at an eighth and a sixteenth of the picture."""
    import keras

    from covidct.models.efficientnet_lite import early_expansions

    scaled = keras.layers.Rescaling(255 / 128, -127 / 128, name="lite_scaling")(images)
    return early_expansions(scaled, _LITE_WIDTH, _LITE_DEPTH, _LITE_PREFIX)


def _load_astra_lite(model: keras.Model) -> None:
    lite = read_pretrained_weights("efficientnet_lite1")
    _set_weights(model, {_LITE_PREFIX + name: values for name, values in lite.items()})
    _load_astra(model)


def _load_astra(model: keras.Model) -> None:
    for name in ("astra_resnet", ASTRA_OPACITIES):
        _set_weights(model, read_pretrained_weights(name))


def _vgg16_features(images: KerasTensor) -> list[KerasTensor]:
    """VGG16 up to its last convolution: 14 rows of maps for 224 pixels, twice as many as of pool5.

    Source: Simonyan and Zisserman 2015, arXiv:1409.1556.
    """
    import keras

    vgg16 = keras.applications.VGG16(include_top=False, weights=None, input_tensor=images)
    return [vgg16.get_layer("block5_conv3").output]


def _load_vgg16_imagenet(model: keras.Model) -> None:
    import keras

    try:
        pretrained = keras.applications.VGG16(include_top=False, weights="imagenet")
    except Exception as error:  # keras.utils.get_file raises a bare Exception
        raise ConfigError(
            N_(
                "The ImageNet weights of VGG16 could not be downloaded: Keras fetches them from "
                "the internet at the first use. Connect once, put the file where Keras looks "
                "(~/.keras/models), choose one of the efficientnet_lite backbones, whose weights "
                "are shipped, or train from random weights (--no-pretrained)."
            )
        ) from error
    for layer in pretrained.layers:
        if layer.weights and layer.name in {own.name for own in model.layers}:
            model.get_layer(layer.name).set_weights(layer.get_weights())


def _astra(images: KerasTensor) -> list[KerasTensor]:
    from covidct.models.astra_resnet import astra_resnet

    return astra_resnet(images)


_ASTRA = Trunk(
    "Astra",
    _astra,
    (
        Part("stage 2", 1, 0.15, weight=1.0),
        Part("stage 3", 1, 0.15, weight=1.0),
        Part("no opacity seen", 1, None, weight=1.0),
    ),
)

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "astra_lite",
            256,
            unit_preprocess_input,
            (
                _ASTRA,
                Trunk(
                    "Lite",
                    _early_lite,
                    (Part("early", 2, 0.015, weight=0.6),),
                    scale=0.75,
                    gains_by_mirror=False,
                ),
            ),
            _load_astra_lite,
            pools_deviation=True,
            finetuning_epochs=0,
            learning_rate=1e-5,
        ),
        Backbone(
            "astra_resnet",
            256,
            unit_preprocess_input,
            (_ASTRA,),
            _load_astra,
            pools_deviation=True,
            finetuning_epochs=0,
            learning_rate=1e-5,
        ),
        _lite(0, 256, width=1.0, depth=1.0),
        _lite(1, 288, width=1.0, depth=1.1),
        _lite(2, 304, width=1.1, depth=1.2),
        Backbone(
            "vgg16",
            256,
            vgg16_preprocess_input,
            (Trunk("only", _vgg16_features),),
            _load_vgg16_imagenet,
            channel_offsets=tuple(_CAFFE_MEANS[0] - mean for mean in _CAFFE_MEANS),
        ),
    )
}


def get_backbone(name: str) -> Backbone:
    """The backbone of that name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise ConfigError(
            N_(
                "There is no backbone “{name}”. Choose one of: {choices}.",
                name=name,
                choices=", ".join(BACKBONES),
            )
        ) from None


def get_preprocess_input(backbone: str, pixel_scaling: str) -> Callable[[np.ndarray], np.ndarray]:
    """The normalisation of (N, h, w, 3) from 0..255 that a network is trained with.

    Args:
        backbone: a name in :data:`BACKBONES`.
        pixel_scaling: "backbone" for its own preprocess_input, "unit" for division by 255.

    Raises:
        ConfigError: no such backbone or scaling.
    """
    if pixel_scaling not in PIXEL_SCALINGS:
        raise ConfigError(
            N_("pixel_scaling must be one of {choices}.", choices=", ".join(PIXEL_SCALINGS))
        )
    own = get_backbone(backbone).preprocess_input
    return own if pixel_scaling == "backbone" else unit_preprocess_input


def read_pretrained_weights(name: str) -> dict[str, np.ndarray]:
    """Shipped pretrained weights as float32 arrays, keyed "layer/index of the variable".

    Raises:
        ModelIntegrityError: the file is missing or is not the one its card describes.
    """
    with np.load(io.BytesIO(_read_shipped(f"{name}.npz")), allow_pickle=False) as arrays:
        return {key: arrays[key].astype(np.float32) for key in arrays.files}


def read_pretrained_graph(name: str) -> bytes | None:
    """The shipped LiteRT graph of a backbone's pretrained trunks; None where none is shipped.

    Raises:
        ModelIntegrityError: the file is missing or is not the one its card describes.
    """
    file = f"{name}.tflite"
    return _read_shipped(file) if file in _shipped_files() else None


def has_shipped_weights(name: str) -> bool:
    """Whether the pretrained weights of a backbone need not be downloaded."""
    return f"{name}.npz" in _shipped_files() or f"{name}.tflite" in _shipped_files()


def _shipped_files() -> dict[str, dict]:
    return json.loads((PRETRAINED_DIR / "card.json").read_text(encoding="utf-8"))["files"]


def _read_shipped(file: str) -> bytes:
    try:
        return read_verified(PRETRAINED_DIR / file, _shipped_files()[file]["sha256"])
    except (OSError, KeyError, WrongHash) as error:
        raise ModelIntegrityError(
            N_(
                "The shipped pretrained file {file} is missing or changed. Restore the folder "
                "weights/pretrained from the repository.",
                file=file,
            )
        ) from error


def _set_weights(model: keras.Model, weights: dict[str, np.ndarray]) -> None:
    for layer in model.layers:
        if f"{layer.name}/0" in weights:
            layer.set_weights([weights[f"{layer.name}/{i}"] for i in range(len(layer.weights))])
