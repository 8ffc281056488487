import json

import pytest

from covidct.evaluation.audit.data_learnt import DataLearnt, read_data_learnt
from covidct.inference.promotion import DEFAULT_MODEL, SHIPPED_DIR


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("COVID-CT", "verdicts learnt from this data set"),
        ("coronacases", "verdicts and opacities learnt from this data set"),
        ("Radiopaedia", "opacities learnt from this data set, verdicts not"),
        ("another hospital", "nothing learnt from this data set"),
    ],
)
def test_of_the_shipped_model_it_is_known_what_it_learnt_from(data, said):
    assert read_data_learnt(SHIPPED_DIR / DEFAULT_MODEL).said_of(data) == said


@pytest.mark.parametrize(
    "card", ["{", "[]", "{}", json.dumps({"about": {"slices": {"training": {}, "validation": {}}}})]
)
def test_of_a_model_whose_card_names_no_data_set_it_is_not_known(tmp_path, card):
    (tmp_path / "card.json").write_text(card)
    learnt = read_data_learnt(tmp_path)
    assert learnt.said_of("mine") == "not known whether the model learnt from this data set"
    assert "not known" in learnt.said_of_all(["mine", "yours"])


def test_a_sentence_names_those_that_were_learnt_from():
    learnt = DataLearnt(frozenset({"a", "b"}), frozenset())
    assert learnt.said_of_all(["a", "b", "c"]) == "Of these sources the model learnt from a, b."
    assert learnt.said_of_all(["b"]) == "The model learnt from all of these sources."
    assert learnt.said_of_all(["c"]) == "The model learnt from none of these sources."
    assert "of its test list" in learnt.said_of_split("a", "test")
    assert "list" not in learnt.said_of_split("a", "val")
