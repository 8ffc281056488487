import re

import pytest

import covidct
from covidct.evaluation.card_text import as_markdown
from covidct.inference.card import read_card


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_it_is_read_in_a_few_minutes(readme):
    assert len(readme.splitlines()) <= 160


@pytest.fixture(scope="module")
def card(root):
    return read_card(root / "weights" / "covidct-astra")


def test_the_figures_that_it_quotes_are_the_cards(readme, card):
    known = card.about["out_of_fold"]
    (second,) = (row for row in known["out_of_source"] if row["source"] == "SARS-CoV-2-CT")
    (auc,) = re.findall(r"out of fold its ROC AUC on\s+COVID-CT\s+is (0\.\d\d)", readme)
    assert auc == f"{known['roc_auc']:.2f}"
    questions = readme.split("## Questions")[1].split("\n## ")[0]
    low, high = card.calibration.abstain_band
    assert [int(share) for share in re.findall(r"(\d+) (?:%|points)", questions)] == [
        round(100 * share)
        for share in (
            *(known["sensitivity"], known["specificity"]),
            *(second["sensitivity"], second["specificity"]),
            0.8,  # an example
            second["expected_calibration_error"],
            *(low, high, known["abstaining"]["uncertain"], known["abstaining"]["accuracy"]),
        )
    ]


def test_what_is_to_be_cited_is_this_version_and_this_model(readme, card):
    (software,) = re.findall(r"@software\{(.*?)\}\n@", readme, re.DOTALL)
    assert f"version = {{{covidct.__version__}}}" in software
    assert card.model_id in software


def test_the_models_readme_is_what_its_files_say(root):
    folder = root / "weights" / "covidct-astra"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == as_markdown(read_card(folder), folder)


def test_there_are_exactly_two_commands_for_a_fresh_machine(readme):
    start = readme.split("## Start")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", start, re.S)
    assert [block.count("\n") for block in blocks] == [1, 1]
    assert "streamlit run app.py" in blocks[0]
    assert "pytest" in blocks[1]


def test_every_dependency_is_pinned_to_a_range_and_explained(root):
    reasons = (root / "covidct" / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for line in (root / "requirements.txt").read_text().split():
        name = re.split(r"[<>=]", line)[0]
        assert "<" in line
        assert name in reasons


def test_pictures_and_pages_that_are_linked_exist(root):
    pages = [root / "README.md", *(root / "covidct" / "docs").glob("*.md")]
    for page in pages:
        for path in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / path).is_file(), f"{page.name}: {path}"
