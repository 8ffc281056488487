from pathlib import Path

import pytest

from covidct.data.check import Count, DataReport, Leak
from covidct.data.file_attributes import Shortcut
from covidct.data.index import Item, Skipped
from covidct.ui.training import findings
from covidct.ui.training.findings import BAD, GOOD, NOTE

A = Item(Path("/d/CT_COVID/a.png"), 1, "COVID/a", "train")
B = Item(Path("/d/CT_NonCOVID/b.png"), 0, "NonCOVID/b", "val")


def report(**changes) -> DataReport:
    clean = {
        "counts": (Count("training", "COVID", 1, 1), Count("validation", "NonCOVID", 1200, 3)),
        "unreadable": (),
        "outside_use": (),
        "left_out": (),
        "duplicates": (),
        "near_duplicates": (),
        "contradictions": (),
        "leaks": (),
        "exclusions": (),
        "shortcut": Shortcut(0.5, (0.4, 0.6), "Files do not tell."),
        "shortcut_of_others": None,
        "samples": (A, B),
        "official_lists": True,
        "patients_known": True,
        "unlabelled": 0,
        "corrections": {},
    }
    return DataReport(**clean | changes)


def tones(of: DataReport) -> list[str]:
    return [finding.tone for finding in findings.findings(of)]


def test_a_clean_data_set_is_all_good_and_holds_nobody_up():
    assert set(tones(report())) == {GOOD}
    assert not findings.blocks_start(report())


@pytest.mark.parametrize(
    ("changes", "tone", "named"),
    [
        ({"leaks": (Leak("In both.", (A, B)),)}, BAD, "a.png"),
        ({"contradictions": ((A, B),)}, BAD, "b.png (NonCOVID)"),
        ({"duplicates": ((A, A),)}, NOTE, "a.png = a.png"),
        ({"near_duplicates": ((A, A),)}, NOTE, "a.png = a.png"),
        ({"unreadable": (Skipped(A.path, "It is text."),)}, NOTE, "a.png: It is text."),
        ({"outside_use": (Skipped(A.path, "An X-ray."),)}, NOTE, "a.png: An X-ray."),
        ({"left_out": (Skipped(A.path, "Mislabelled."),)}, NOTE, "a.png: Mislabelled."),
    ],
)
def test_each_finding_has_its_tone_and_names_its_files(changes, tone, named):
    found = report(**changes)
    (finding,) = [f for f in findings.findings(found) if f.tone != GOOD]
    assert finding.tone == tone
    assert named in " ".join(finding.details)
    assert findings.blocks_start(found) == (tone == BAD)


def test_what_cannot_be_named_is_worth_knowing():
    assert tones(report(patients_known=False)).count(NOTE) == 1
    telling = Shortcut(0.95, (0.9, 0.98), "Files tell.")
    unknown = Shortcut(None, None, "Too few patients.")
    assert tones(report(shortcut=unknown)).count(NOTE) == 1
    for kind in ("shortcut", "shortcut_of_others"):
        (finding,) = [f for f in findings.findings(report(**{kind: telling})) if f.tone == NOTE]
        assert finding.title == "Files tell."


def test_the_table_has_a_cell_for_each_split_and_class():
    assert findings.table(report()) == (
        ["training", "validation"],
        [
            ("COVID", {"training": "1 slice of 1 patient", "validation": "none"}),
            ("NonCOVID", {"training": "none", "validation": "1,200 slices of 3 patients"}),
        ],
    )
