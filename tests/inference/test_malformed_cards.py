"""A card with anything anywhere in it is a card or one error, by Hypothesis."""

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covidct.errors import ModelError
from covidct.inference.card import CARD_FILE, read_card
from covidct.inference.promotion import current_model, history

CARD = {
    "name": "tiny",
    "sha256": "0" * 64,
    "backbone": "efficientnet_lite0",
    "image_size": [48, 64],
    "pixel_scaling": "backbone",
    "calibration": {
        "temperature": 1.5,
        "operating_point": 0.4,
        "abstain_band": [0.3, 0.5],
        "sensitive_point": None,
    },
    "about": {"data": "phantoms"},
    "average_map": [[0.5, -0.5]],
    "keras_sha256": "0" * 64,
    "mirrored": True,
    "in_integers": True,
    "learnt_from": ["00" * 32],
}
PLACES = [(key,) for key in CARD] + [("calibration", key) for key in CARD["calibration"]]
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just(10**400), st.just(-1)
)
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
few = settings(max_examples=150, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("card")


@few
@given(st.sampled_from(PLACES), values)
def test_anything_in_a_card_is_read_or_refused(folder, place, value):
    card = copy.deepcopy(CARD)
    *above, last = place
    (card[above[0]] if above else card)[last] = value
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8", errors="surrogatepass")
    try:
        read = read_card(folder)
    except ModelError:
        return
    assert all(1 <= side <= 4096 for side in read.image_size)
    calibration = read.calibration
    probability = calibration.probability(0.3)
    assert 0 <= probability <= 1 and not math.isnan(probability)
    assert 0 <= calibration.operating_point <= 1


@few
@given(values)
def test_anything_in_the_record_of_promotions_is_read_or_refused(tmp_path_factory, value):
    models = tmp_path_factory.getbasetemp() / "record" / "models"
    models.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVIDCT_HOME", str(models.parent))
        for content in (value, {"stack": value, "history": []}, {"stack": [], "history": value}):
            text = json.dumps(content)
            (models / "current.json").write_text(text, encoding="utf-8", errors="surrogatepass")
            for ask in (current_model, history):
                try:
                    ask()
                except ModelError as error:
                    assert "cannot be read" in str(error)


@pytest.mark.parametrize("key", ["name", "about"])
def test_half_a_surrogate_pair_is_refused_since_no_page_can_show_it(folder, key):
    value = {"data": "\udc80"} if key == "about" else "\udc80"
    (folder / CARD_FILE).write_text(json.dumps(CARD | {key: value}), encoding="utf-8")
    with pytest.raises(ModelError, match="malformed"):
        read_card(folder)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "1" * 5_000, '{"a": ' * 50_000, "\0", "", "\ud800"]
)
def test_what_is_hardly_json_is_refused(folder, text):
    (folder / CARD_FILE).write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ModelError, match=r"malformed|readable"):
        read_card(folder)
