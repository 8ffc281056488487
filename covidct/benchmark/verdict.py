"""From the bytes of an upload to verdict and overlay, stage by stage."""

import time

import numpy as np

from covidct.benchmark.naive import draws_with_matplotlib, naive_way, naive_way_vgg16
from covidct.benchmark.processor import has_vnni
from covidct.benchmark.samples import dicom_slice, png_slice
from covidct.benchmark.settings import Settings
from covidct.benchmark.timing import fastest
from covidct.benchmark.traced import traced_pass
from covidct.imaging import read_slice
from covidct.imaging.anatomy.gate import check_lung_slice
from covidct.imaging.formats.png import encode_png
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import heat_map, overlay

STAGES = ("decode", "lungs", "preprocess", "forward", "heat map", "overlay")


def walk(classifier: Classifier, data: bytes) -> list[float]:
    """Seconds of each of `STAGES`, for one upload."""
    times = [time.perf_counter()]
    ct_slice = read_slice(data)
    times.append(time.perf_counter())
    check_lung_slice(ct_slice)
    times.append(time.perf_counter())
    crop = classifier.crop_thorax(ct_slice)
    times.append(time.perf_counter())
    predicted = classifier.predict_crops([crop])[0]
    times.append(time.perf_counter())
    heat = heat_map(classifier, predicted)
    times.append(time.perf_counter())
    encode_png(overlay(ct_slice, heat))
    times.append(time.perf_counter())
    return np.diff(times).tolist()


def measure_verdict(settings: Settings) -> dict[str, object]:
    """Times of one PNG and one DICOM upload against the bare forward pass, the usual way and
    TensorFlow's pass of the same network.

    Each ratio is of the shortest times; the usual way is measured on the PNG file, which is all
    that it reads.
    """
    classifier = Classifier.load(settings.model)
    png, dicom = png_slice(3, settings.side), dicom_slice(3, settings.side)
    images = classifier.network_input([classifier.crop_thorax(read_slice(png))])
    walks: dict[bytes, list[list[float]]] = {png: [], dicom: []}
    forward, *whole = fastest(
        settings.repeats,
        lambda: classifier.forward(images),
        lambda: walks[png].append(walk(classifier, png)),
        lambda: walks[dicom].append(walk(classifier, dicom)),
    )
    naive, vgg16, own = fastest(
        settings.naive_repeats,
        naive_way(classifier, png),
        naive_way_vgg16(png),
        lambda: walk(classifier, png),
    )
    own = min(own, whole[0])
    tensorflow, beside = fastest(
        settings.repeats, traced_pass(classifier, images), lambda: classifier.forward(images)
    )
    return {
        "verdict_vs_naive": naive / own,
        "verdict_vs_naive_vgg16": vgg16 / own,
        "verdict_vs_forward": max(whole) / forward,
        "verdict_seconds": dict(zip(("PNG", "DICOM"), whole, strict=True)),
        "forward_seconds": forward,
        "forward_vs_tensorflow": tensorflow / min(forward, beside),
        "tensorflow_seconds": tensorflow,
        "vnni": has_vnni(),
        "stages": {
            kind: dict(zip(STAGES, min(walks[data], key=sum), strict=True))
            for kind, data in (("PNG", png), ("DICOM", dicom))
        },
        "naive_draws_with_matplotlib": draws_with_matplotlib(),
    }
