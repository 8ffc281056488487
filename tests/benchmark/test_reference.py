import keras
import pytest

from covidct.benchmark.reference import (
    REFERENCE_AUC,
    measure_reference,
    train_reference,
)
from covidct.benchmark.settings import Settings
from covidct.training.config import TrainConfig

CONFIG = TrainConfig(
    backbone="efficientnet_lite0",
    image_size=64,
    pretrained=False,
    probe_views=1,
    epochs=0,
    validation_share=0.25,
)


@pytest.fixture
def settings(phantom_dataset):
    return Settings(data=phantom_dataset, reference_draws=2, reference_batch=8, reference_side=32)


def random_weights():
    return keras.applications.VGG16(include_top=False, weights=None).get_weights()


@pytest.mark.endurance
def test_the_reference_is_trained_and_what_is_extrapolated_is_said(settings):
    figures = measure_reference(settings, CONFIG, random_weights)
    assert 0 <= figures["reference_auc_here"] <= 1
    measured = figures["reference_s"]
    assert 0 < measured < figures["reference_s_without_reuse_extrapolated"]
    is_as_good = figures["train_auc"] >= REFERENCE_AUC
    assert (figures["train_vs_reference"] is not None) == is_as_good
    assert (figures["train_vs_reference_at_least"] is not None) == is_as_good
    assert "2 augmentations" in figures["reference_note"]


def test_without_the_weights_nothing_is_trained_and_the_reason_is_said(settings, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    figures = train_reference(settings, CONFIG)
    assert figures["reference_auc_here"] is None and figures["reference_s"] is None
    assert "could not download" in figures["reference_note"]
