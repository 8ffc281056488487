"""What the close-up says of verdicts and maps that a shipped model rarely gives."""

import numpy as np
import patience
import pytest
from streamlit.testing.v1 import AppTest

from covidct.imaging.phantom import phantom_slice
from covidct.reports.words import NO_LUNGS, OUTSIDE_LUNGS


def run(script, **values) -> tuple[AppTest, str]:
    app = AppTest.from_function(script, kwargs=values, default_timeout=patience.SECONDS).run()
    assert not app.exception
    return app, "\n".join(element.value for element in app.get("html"))


def show_verdict(probability: float, lung_share: float | None = 0.8) -> None:
    from covidct.inference.calibration import Calibration
    from covidct.inference.classifier import Prediction
    from covidct.ui.shared import close_up

    calibration = Calibration(1.0, 0.5, (0.4, 0.7))
    label, decision = calibration.label(probability), calibration.decision(probability)
    close_up._verdict(Prediction(label, probability, decision, 0.5, "m@1"), (0.4, 0.7), lung_share)


def show_map(ct_slice, values, lung_share) -> None:
    from covidct.inference.heatmap import HeatMap
    from covidct.ui.shared import close_up

    heat = HeatMap(values, "gradcam", "Positive", lung_share)
    close_up._pictures(ct_slice, ct_slice.lung_mask, heat, 0.5, "Inferno")
    close_up._trust(heat, "Grad-CAM")


@pytest.mark.parametrize(("probability", "leaning"), [(0.45, "Negative"), (0.6, "Positive")])
def test_inside_the_abstain_band_the_decision_is_uncertain_and_says_its_leaning(
    probability, leaning
):
    _, html = run(show_verdict, probability=probability)
    assert '<p class="cv-decision">Uncertain</p>' in html
    assert f"would make it {leaning}" in html
    assert "between 40% and 70%" in html


@pytest.mark.parametrize(("probability", "decision"), [(0.1, "Negative"), (0.9, "Positive")])
def test_outside_the_abstain_band_the_decision_is_the_label(probability, decision):
    _, html = run(show_verdict, probability=probability)
    assert f'<p class="cv-decision">{decision}</p>' in html
    assert ("does not exclude the disease" in html) == (decision == "Negative")


def test_an_empty_map_is_said_and_not_painted():
    ct_slice = phantom_slice(1, size=128).ct_slice
    app, html = run(
        show_map, ct_slice=ct_slice, values=np.zeros((128, 128), np.float32), lung_share=None
    )
    assert "no place on the slice speaks for Positive" in html
    assert len(app.get("image")) == 1
    assert "cv-colours" not in html


@pytest.mark.parametrize(
    ("lung_share", "warning"),
    [(0.3, OUTSIDE_LUNGS), (None, NO_LUNGS), (0.8, None)],
)
def test_evidence_outside_the_lungs_takes_trust_from_the_verdict_in_the_verdict(
    lung_share, warning
):
    _, html = run(show_verdict, probability=0.9, lung_share=lung_share)
    for text in (OUTSIDE_LUNGS, NO_LUNGS):
        assert (f'</p><p class="cv-doubt">{text}</p><p>' in html) == (text == warning)
