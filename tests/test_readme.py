import json
import re

import pytest

from covidct.evaluation.card_text import as_markdown
from covidct.inference.card import read_card


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_it_is_read_in_a_few_minutes(readme):
    assert len(readme.splitlines()) <= 160


def test_the_figure_that_it_quotes_is_the_cards(readme, root):
    card = json.loads((root / "weights" / "covidct-astra" / "card.json").read_text())
    (quoted,) = re.findall(r"out of fold its ROC AUC on\s+COVID-CT is (0\.\d\d)", readme)
    assert quoted == f"{card['about']['out_of_fold']['roc_auc']:.2f}"


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
