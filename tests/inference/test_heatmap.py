import colorsys
from dataclasses import replace
from itertools import combinations, product

import keras
import numpy as np
import pytest
import tensorflow as tf
from tf_keras_vis.gradcam import Gradcam

from covidct.errors import ModelError, UnreadableSlice
from covidct.imaging.readers import read_slice
from covidct.inference.classifier import Classifier
from covidct.inference.heatmap import (
    BY_CLASS,
    COLORMAPS,
    DEFAULT,
    METHODS,
    RELATIVE,
    HeatMap,
    coarse_map,
    explain,
    overlay,
    paint,
)
from covidct.inference.opacities import HUE
from covidct.models.network import pooled_maps
from covidct.models.two_class import TwoClassModel

DECIDED = ("Positive", "Negative")


def _oracle(classifier, predicted):
    """tf-keras-vis' Grad-CAM of the predicted class on the same maps, on the slice's grid.

    The head alone is asked, since its inputs are layers, as tf-keras-vis wants them. Of a mirrored
    network there are maps of the slice and of its mirror image.
    """
    model, sign = classifier.model, 1 if predicted.prediction.is_positive else -1
    pooled = [one.maps for one in pooled_maps(model)]
    maps = keras.Model(model.inputs[0], pooled)
    head = keras.Model(pooled, model.outputs[0])
    seen = keras.tree.flatten(maps(classifier.network_input([predicted.crop])))
    total = np.zeros((*predicted.cam.shape, 1))
    for one in head.inputs:
        cams = Gradcam(head, clone=False)(
            lambda logits: sign * logits[:, 0],
            seen,
            penultimate_layer=one._keras_history[0],
            seek_penultimate_conv_layer=False,
            activation_modifier=None,
            expand_cam=False,
            normalize_cam=False,
        )
        cam, *mirrored = (np.asarray(one)[..., None] for one in cams)
        cam = np.sum([cam, *(one[:, ::-1] for one in mirrored)], axis=0)
        finer = total.size / cam.size  # places that share what one has
        total += tf.image.resize(cam, total.shape[:2]).numpy() / finer
    return predicted.crop.to_slice_grid(np.maximum(total[..., 0], 0).astype(np.float32))


def _agreements(classifier, ct_slices):
    for ct_slice in ct_slices:
        predicted = classifier.predict(ct_slice)
        _, heat = explain(classifier, ct_slice, "gradcam")
        if not heat.is_empty:
            theirs = _oracle(classifier, predicted)
            yield np.corrcoef(heat.values.ravel(), theirs.ravel())[0, 1]


def test_gradcam_agrees_with_tf_keras_vis(untrained, phantoms):
    agreements = list(_agreements(untrained, [p.ct_slice for p in phantoms[:4]]))
    assert len(agreements) >= 3
    assert min(agreements) > 0.99


def test_gradcam_agrees_with_tf_keras_vis_on_real_slices(shipped, real_files):
    ct_slices = []
    for file in real_files[:2]:
        try:
            ct_slices.append(read_slice(file))
        except UnreadableSlice:
            continue
    agreements = list(_agreements(shipped.in_floats(), ct_slices))
    assert agreements
    assert min(agreements) > 0.99


def test_relative_shares_add_up_to_what_sets_a_score_apart_from_the_average(untrained, phantoms):
    looks = untrained.predict_many([one.ct_slice for one in phantoms[:4]])
    maps = np.array([one.cam for one in looks])
    average = tuple(map(tuple, maps.mean(axis=0).tolist()))
    card = replace(untrained.card, average_map=average)
    relative = Classifier(untrained.trunks, untrained.head, card)
    logits, _ = untrained.forward(untrained.network_input([one.crop for one in looks]))
    for look, logit in zip(looks, logits, strict=True):
        sign = 1 if look.prediction.is_positive else -1
        shares = sign * METHODS[RELATIVE].compute(relative, look)
        assert shares.sum() == pytest.approx(logit - logits.mean(), abs=1e-4)


def test_where_the_average_is_not_known_relative_shares_are_the_whole_shares(untrained, phantoms):
    predicted = untrained.predict(phantoms[1].ct_slice)
    relative, whole = (
        coarse_map(METHODS[name], untrained, predicted) for name in (RELATIVE, "gradcam")
    )
    assert np.array_equal(relative, whole)


def test_the_default_is_relative_to_the_average_slice_of_the_shipped_model(shipped, phantoms):
    assert DEFAULT == RELATIVE
    ct_slice = phantoms[1].ct_slice
    by_default, whole = (explain(shipped, ct_slice, *name)[1] for name in ((), ("gradcam",)))
    assert by_default.method == RELATIVE
    assert not np.allclose(by_default.values, whole.values, atol=0.01)


def test_an_average_map_of_another_size_is_refused(untrained):
    card = replace(untrained.card, average_map=((0.0,),))
    with pytest.raises(ModelError, match="size"):
        Classifier(untrained.trunks, untrained.head, card)


def test_methods_that_need_no_tensorflow_need_no_keras_network(untrained, phantoms):
    without = Classifier(untrained.trunks, untrained.head, untrained.card)
    assert not METHODS[DEFAULT].needs_tensorflow
    for name, method in METHODS.items():
        if method.needs_tensorflow:
            with pytest.raises(ModelError, match="Keras file"):
                explain(without, phantoms[1].ct_slice, name)
        else:
            assert explain(without, phantoms[1].ct_slice, name)[1].method == name


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_on_the_slices_grid(untrained, phantoms, method):
    prediction, heat = explain(untrained, phantoms[1].ct_slice, method)
    assert heat.values.shape == phantoms[1].ct_slice.shape
    assert heat.values.dtype == np.float32
    assert heat.values.min() >= 0
    assert heat.values.max() == 1 or heat.is_empty
    assert heat.label == prediction.label
    assert heat.lung_share is None or 0 <= heat.lung_share <= 1


def test_methods_differ_but_agree_on_the_prediction(untrained, phantoms):
    results = [explain(untrained, phantoms[1].ct_slice, m) for m in ("gradcam", "smoothgrad")]
    assert results[0][0] == results[1][0]
    assert not np.allclose(results[0][1].values, results[1][1].values)


def test_no_method_writes_to_standard_output(untrained, phantoms, capfd):
    for method in METHODS:
        explain(untrained, phantoms[0].ct_slice, method)
    assert capfd.readouterr().out == ""


def test_the_pair_of_logits_has_the_networks_probability(untrained, phantoms):
    predicted = untrained.predict(phantoms[0].ct_slice)
    pixels = untrained.network_input([predicted.crop])
    pair = np.asarray(TwoClassModel.of(untrained.model)([pixels]))[0]
    logit = float(untrained.model(pixels)[0, 0])
    softmax = np.exp(pair) / np.exp(pair).sum()
    assert softmax[1] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_the_overlay_leaves_places_without_evidence_grey(phantoms):
    ct_slice = phantoms[0].ct_slice
    values = np.zeros(ct_slice.shape, np.float32)
    values[40:60, 70:90] = 1
    picture = overlay(ct_slice, HeatMap(values, "gradcam", "Positive", None), 0.6)
    untouched = values == 0
    assert np.array_equal(picture[untouched][:, 0], ct_slice.pixels[untouched])
    assert not np.array_equal(picture[50, 80], np.repeat(ct_slice.pixels[50, 80], 3))


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_opacity_runs_from_the_slice_to_the_colour(phantoms, colormap):
    ct_slice = phantoms[0].ct_slice
    heat = HeatMap(np.ones(ct_slice.shape, np.float32), "gradcam", "Positive", None)
    grey = overlay(ct_slice, heat, 0.0, colormap)
    assert np.array_equal(grey, np.repeat(ct_slice.pixels[..., None], 3, 2))
    assert len(np.unique(overlay(ct_slice, heat, 1.0, colormap).reshape(-1, 3), axis=0)) == 1


def test_a_map_without_evidence_is_empty(phantoms):
    blank = HeatMap(np.zeros((70, 70), np.float32), "gradcam", "Negative", None)
    assert blank.is_empty


def test_each_class_and_the_opacities_have_a_hue_of_their_own():
    evidence = np.linspace(0, 1, 5)[None]
    hues = [{_hue(colour) for colour in paint(evidence, BY_CLASS, label)[0]} for label in DECIDED]
    hues.append({_hue(HUE)})
    for one, other in combinations(hues, 2):
        assert all(25 < abs(a - b) < 335 for a, b in product(one, other))
    assert all(max(one) - min(one) < 15 for one in hues)


def _hue(colour) -> float:
    """In degrees."""
    return 360 * colorsys.rgb_to_hsv(*(value / 255 for value in colour))[0]
