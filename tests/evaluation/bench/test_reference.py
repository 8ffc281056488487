import math

from covidct.evaluation.bench.reference import REFERENCE_EPOCHS, measure_reference
from covidct.evaluation.bench.settings import Settings
from covidct.training.config import TrainConfig


def test_what_is_extrapolated_is_said_and_a_low_auc_wins_nothing(phantom_dataset):
    config = TrainConfig(
        backbone="efficientnet_lite0",
        image_size=64,
        pretrained=False,
        probe_views=0,
        epochs=1,
        validation_share=0.25,
    )
    settings = Settings(
        data=phantom_dataset, reference_batches=1, reference_batch=2, reference_side=64
    )
    figures = measure_reference(settings, config)
    ratio = figures["train_vs_reference"]
    assert (ratio is None) == (figures["train_auc"] < figures["reference_auc"])
    assert ratio is None or 0 < ratio < math.inf
    epoch = figures["reference_epoch_s_extrapolated"]
    assert epoch > 9 * figures["reference_batch_s"]  # 18 slices to train on, and to validate
    assert figures["reference_s_extrapolated"] == REFERENCE_EPOCHS * epoch
    assert "extrapolated" in figures["reference_assumption"]
