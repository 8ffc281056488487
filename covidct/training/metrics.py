"""Keras metrics of a network that gives logits: sensitivity, specificity, accuracy, AUC."""

import keras
from keras import ops


class Sensitivity(keras.metrics.Recall):
    """Share of COVID-19 slices with a positive logit."""

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:  # noqa: ANN001, D102
        super().update_state(y_true, ops.sigmoid(y_pred), sample_weight)


class Specificity(keras.metrics.Recall):
    """Share of other slices with a negative logit."""

    def update_state(self, y_true, y_pred, sample_weight=None) -> None:  # noqa: ANN001, D102
        super().update_state(1 - y_true, ops.sigmoid(-y_pred), sample_weight)


def epoch_metrics() -> list[keras.metrics.Metric]:
    """Fresh metrics for one compile; all but the loss count every slice the same."""
    return [
        keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy"),
        Sensitivity(name="sensitivity"),
        Specificity(name="specificity"),
        keras.metrics.AUC(from_logits=True, num_thresholds=1000, name="auc"),
    ]
