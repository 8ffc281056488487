import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from covidct.training.metrics import epoch_metrics


def test_metrics_of_logits_are_those_of_the_confusion_matrix():
    rng = np.random.default_rng(0)
    labels = (rng.random(300) < 0.4).astype(np.float32)
    logits = (rng.normal(size=300) + 2 * labels - 1.5).astype(np.float32)
    found = {}
    for metric in epoch_metrics():
        for start in range(0, 300, 50):
            chosen = slice(start, start + 50)
            metric.update_state(labels[chosen, None], logits[chosen, None])
        found[metric.name] = float(metric.result())
    called = logits > 0
    assert found["accuracy"] == pytest.approx(np.mean(called == labels), abs=1e-6)
    assert found["sensitivity"] == pytest.approx(called[labels == 1].mean(), abs=1e-6)
    assert found["specificity"] == pytest.approx((~called)[labels == 0].mean(), abs=1e-6)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, logits), abs=0.005)
