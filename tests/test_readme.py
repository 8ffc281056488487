import json
import re

import pytest

from covidct.evaluation.bench.run import rows


@pytest.fixture(scope="module")
def readme(root):
    return (root / "README.md").read_text(encoding="utf-8")


def test_figures_are_those_of_the_card(readme, root):
    card = json.loads((root / "weights" / "covidct-astra" / "card.json").read_text())
    figures = card["about"]["out_of_fold"]
    for name in ("ROC AUC", "accuracy", "sensitivity", "specificity"):
        key = name.lower().replace(" ", "_")
        low, high = figures[f"{key}_ci95"]
        assert f"| {name} | {figures[key]:.3f} | {low:.3f} to {high:.3f} |" in readme


def test_heat_maps_are_told_of_as_measured(readme, root):
    card = json.loads((root / "weights" / "covidct-astra" / "card.json").read_text())
    measured = card["about"]["heat maps of evaluation"]
    rows = {(row["set"], row["method"]): row for row in measured["rows"]}
    for method, title in measured["methods"].items():
        cells = [
            f"{rows[where, method][figure]:.0%}"
            for figure in ("pointing", "energy", "lung_share")
            for where in ("series", "planted")
        ]
        assert f"| {title} | {' | '.join(cells)} |" in readme


def test_the_costs_are_those_that_the_bench_wrote(readme, root):
    figures = json.loads((root / "weights" / "covidct-astra" / "bench.json").read_text())
    told = readme.split("## How fast")[1].split("\n## ")[0]
    table = [line for line in told.splitlines() if line.startswith("| ")][2:]
    assert table == [f"| {what} | {value} | {target} |" for what, value, target, _ in rows(figures)]
    assert f"{figures['server_resident_mb_after']:.0f} MB after {figures['verdicts']:,}" in told


def test_the_targets_that_the_shipped_model_misses_are_said(readme, root):
    model = root / "weights" / "covidct-astra"
    flips, unseen = (
        json.loads((model / folder / "audit.json").read_text())["flips"]
        for folder in ("evaluation", "second-source")
    )
    learnt = [flip for flip in flips if not flip["met"]]
    assert learnt
    missed = learnt + [flip for flip in unseen if not flip["met"]]
    said = readme.split("Missed by the shipped model")[1].split("\n\n")[0]
    assert re.findall(r"(\d+\.\d)%", said) == [f"{flip['share']:.1%}"[:-1] for flip in missed]
    names = [flip["change"] for flip in learnt]
    again = [flip for flip in unseen if flip["met"] and flip["change"] in names]
    ways = [f"{flip['to_positive']} of {flip['flipped']}" for flip in (*missed, *again)]
    assert re.findall(r"\d+ of \d+", said) == ways


def test_what_turns_verdicts_over_out_of_fold_is_said(readme, root):
    card = json.loads((root / "weights" / "covidct-astra" / "card.json").read_text())
    figures = card["about"]["out_of_fold"]
    both = zip(figures["flips"], figures["flips_without_changed_files"], strict=True)
    for kept, without in both:
        assert kept["change"] == without["change"]
        counts = [f"{kept['flipped']} of {kept['n']}", kept["to_positive"], kept["both_decided"]]
        shares = [f"{row['share']:.1%}" for row in (kept, without)]
        assert f"| {' | '.join(map(str, [kept['change'], *counts, *shares]))} |" in readme


def test_there_are_exactly_two_commands_for_a_fresh_machine(readme):
    start = readme.split("## Start")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", start, re.S)
    assert [block.count("\n") for block in blocks] == [1, 1]
    assert "streamlit run app.py" in blocks[0]
    assert "pytest" in blocks[1]


def test_every_dependency_is_pinned_to_a_range_and_explained(readme, root):
    for line in (root / "requirements.txt").read_text().split():
        name = re.split(r"[<>=]", line)[0]
        assert "<" in line
        assert name in readme.split("## Why each dependency")[1]


def test_pictures_exist(readme, root):
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", readme):
        assert (root / path).is_file()
