import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest

from covidct import NotALungSlice, Prediction, UnreadableSlice, classify_image, read_slice
from covidct.errors import ModelError
from covidct.imaging.phantom import phantom_slice
from covidct.inference.calibration import Calibration
from covidct.inference.card import read_card
from covidct.inference.classifier import Classifier
from covidct.inference.promotion import promote


@pytest.fixture(scope="module")
def ct_slices(phantoms):
    return [phantom.ct_slice for phantom in phantoms]


def _close(one, other):
    return one.label == other.label and abs(one.probability - other.probability) < 1e-4


def test_a_prediction_does_not_depend_on_its_batch(untrained, ct_slices):
    alone = [untrained.classify(ct_slice) for ct_slice in ct_slices]
    together = [predicted.prediction for predicted in untrained.predict_many(ct_slices)]
    backwards = [e.prediction for e in untrained.predict_many(ct_slices[::-1])][::-1]
    assert all(map(_close, alone, together))
    assert all(map(_close, alone, backwards))
    assert len({round(prediction.probability, 4) for prediction in alone}) > 1


def test_threads_get_what_one_gets(untrained, ct_slices):
    alone = [untrained.classify(ct_slice) for ct_slice in ct_slices]
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(untrained.classify, ct_slices * 5))
    assert all(map(_close, alone * 5, threaded))


def test_the_prediction_follows_the_card(untrained, ct_slices):
    for ct_slice in ct_slices:
        prediction = untrained.classify(ct_slice)
        assert isinstance(prediction, Prediction)
        assert prediction.operating_point == 0.4
        assert (prediction.label == "Positive") == (prediction.probability >= 0.4)
        assert (prediction.decision == "Uncertain") == (0.3 <= prediction.probability < 0.5)
        assert prediction.model_id.startswith("untrained@")


def test_the_class_activation_map_sums_up_to_the_logit(untrained, ct_slices):
    """What the map shows is all of the score but the bias."""
    for predicted in untrained.predict_many(ct_slices[:4]):
        logit = predicted.cam.sum() + untrained.head.bias
        expected = untrained.card.calibration.probability(logit)
        assert predicted.prediction.probability == pytest.approx(expected, abs=1e-4)


def test_no_slices_give_no_predictions(untrained):
    assert untrained.predict_many([]) == []


def test_classify_image_says_positive_or_negative(tmp_path):
    path = tmp_path / "slice of a phantom.png"
    cv2.imwrite(str(path), phantom_slice(1, 4, 200).ct_slice.pixels)
    assert classify_image(path) in ("Positive", "Negative")
    assert classify_image(str(path)) == classify_image(path)


def test_classify_image_goes_by_the_model_in_use_from_its_promotion_on(
    own_home, model_folder, tmp_path
):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), phantom_slice(1, 3, 200).ct_slice.pixels)
    for name, point, label in (("low", 0.0, "Positive"), ("high", 1.0, "Negative")):
        folder = shutil.copytree(model_folder, tmp_path / name)
        card = read_card(folder)
        calibration = Calibration(1.0, point, (0.0, 0.0))
        replace(card, name=name, calibration=calibration).write(folder)
        promote(folder)
        assert classify_image(path) == label


def test_classify_image_refuses_what_is_no_slice(tmp_path):
    (tmp_path / "x.png").write_text("text")
    with pytest.raises(UnreadableSlice):
        classify_image(tmp_path / "x.png")


def test_the_container_of_a_slice_does_not_change_its_probability(shipped, tmp_path):
    pixels = phantom_slice(2, 3, 300).ct_slice.pixels
    rgba = np.dstack([pixels, pixels, pixels, np.full_like(pixels, 255)])
    probabilities = []
    for name, picture in (("a.png", pixels), ("b.png", rgba), ("c.bmp", pixels), ("d.tif", pixels)):
        cv2.imwrite(str(tmp_path / name), picture)
        probabilities.append(shipped.classify(read_slice(tmp_path / name)).probability)
    assert len(set(probabilities)) == 1


def test_classify_image_refuses_what_is_no_lung_slice_unless_told_otherwise(tmp_path, no_lungs):
    path = tmp_path / "page.png"
    path.write_bytes(no_lungs)
    with pytest.raises(NotALungSlice):
        classify_image(path)
    assert classify_image(path, despite_gate=True) in ("Positive", "Negative")


def test_the_keras_network_beside_it_gives_the_same_logits(untrained, ct_slices):
    pixels = untrained.network_input([untrained.crop_thorax(one) for one in ct_slices])
    logits, _ = untrained.forward(pixels)
    assert np.allclose(untrained.model(pixels)[:, 0], logits, atol=1e-4)


def test_floats_come_to_nearly_the_same(shipped, ct_slices):
    """But for a shift, since the head was solved on what integers see, and for the most that no
    opacity costs: integers are bound by the slices that they were calibrated on."""
    in_floats = shipped.in_floats()
    assert shipped.card.in_integers
    assert not in_floats.card.in_integers
    pixels = shipped.network_input([shipped.crop_thorax(one) for one in ct_slices])
    (cost,) = (
        i
        for i, origin in enumerate(shipped.trunks.origins)
        if origin == ("Astra", "no opacity seen", "thorax", "mean")
    )

    def without_cost(classifier):
        features = classifier.trunks.features(pixels)
        return features @ shipped.head.kernel - features[:, cost] * shipped.head.kernel[cost]

    here, there = map(without_cost, (shipped, in_floats))
    assert np.corrcoef(here, there)[0, 1] > 0.98
    assert np.abs(here - there).max() < 1
    assert not np.array_equal(here, there)


def test_a_classifier_without_a_folder_has_no_keras_network(untrained):
    without = Classifier(untrained.trunks, untrained.head, untrained.card)
    with pytest.raises(ModelError, match="Keras file"):
        without.model  # noqa: B018


def test_a_network_is_asked_as_its_model_folder_is(untrained, ct_slices):
    same = Classifier.of_network(untrained.model, untrained.card)
    assert same.model is untrained.model
    here, there = (asked.predict_many(ct_slices[:2]) for asked in (untrained, same))
    for one, other in zip(here, there, strict=True):
        assert one.prediction.probability == pytest.approx(other.prediction.probability, abs=1e-4)
        assert np.allclose(one.cam, other.cam, atol=1e-4)
