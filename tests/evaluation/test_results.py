import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from covidct.data.index import Item
from covidct.errors import DatasetError
from covidct.evaluation.comparison import ComparedSlice, Comparison, disagreed
from covidct.evaluation.evaluate import ClassifiedSlice, evaluate, write_evaluation
from covidct.evaluation.results import is_judged, path_of, read_evaluation, read_review
from covidct.imaging.dicom.acquisition import UNKNOWN, Acquisition
from covidct.inference.classifier import Classifier, Prediction

ROWS = [  # file, class, probability; Positive from 0.4
    ("a.png", "COVID", 0.9),
    ("b.png", "COVID", 0.5),
    ("c.png", "COVID", 0.1),
    ("d.png", "NonCOVID", 0.95),
    ("e.png", "NonCOVID", 0.45),
    ("f.png", "NonCOVID", 0.05),
]


def label(probability: float) -> str:
    return "Positive" if probability >= 0.4 else "Negative"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run" / "validation"
    folder.mkdir(parents=True)
    figures = {"operating_point": 0.4, "sensitivity": 2 / 3, "specificity": 1 / 3}
    (folder / "metrics.json").write_text(json.dumps(figures))
    with (folder / "predictions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "class", "patient", "probability", "label"])
        rows.writerows((name, kind, f"{kind}/{name}", p, label(p)) for name, kind, p in ROWS)
    return tmp_path / "run"


def names(slices) -> list[str]:
    return [reviewed.file for reviewed in slices]


def test_the_cells_of_the_confusion_matrix_share_out_all_slices_the_most_confident_first(run):
    review = read_review(run)
    assert is_judged(run)
    assert names(review.cell(covid=True, positive=True)) == ["a.png", "b.png"]
    assert names(review.cell(covid=True, positive=False)) == ["c.png"]
    assert names(review.cell(covid=False, positive=True)) == ["d.png", "e.png"]
    assert names(review.cell(covid=False, positive=False)) == ["f.png"]


def test_mistakes_come_with_the_most_confident_first_on_either_side(run):
    review = read_review(run)
    assert names(review.mistakes()) == ["d.png", "c.png", "e.png"]
    assert all(0 <= review.confidence(one) <= 1 for one in review.slices)


def test_the_roc_runs_from_corner_to_corner_through_the_operating_point(run):
    review = read_review(run)
    curve = review.roc()
    assert (curve[0], curve[-1]) == ((0, 0), (1, 1))
    assert review.at_operating_point() == pytest.approx((2 / 3, 2 / 3))
    assert any(point == pytest.approx(review.at_operating_point()) for point in curve)


def test_another_operating_point_moves_slices_between_the_cells(run):
    review = read_review(run)
    assert review.at(0.4) is review
    strict = review.at(0.92)
    assert names(strict.cell(covid=False, positive=True)) == ["d.png"]
    assert strict.at_operating_point() == pytest.approx((1 / 3, 0))
    assert names(strict.mistakes()) == ["c.png", "b.png", "d.png", "a.png"]
    assert len(strict.slices) == len(review.slices)


def test_slices_are_found_in_either_layout(run, tmp_path):
    (first, *_) = read_review(run).slices
    assert path_of(tmp_path, first) == tmp_path / "CT_COVID" / "a.png"
    (tmp_path / "Images-processed").mkdir()
    assert path_of(tmp_path, first) == tmp_path / "Images-processed" / "CT_COVID" / "a.png"
    other = replace(first, class_name="Normal", path="")
    assert path_of(tmp_path, other) == tmp_path / "Images-processed" / "CT_Normal" / "a.png"


def test_disagreements_show_this_models_mistakes_first(run):
    others = {"a.png": 0.1, "d.png": 0.2}  # elsewhere as the run's model
    slices = tuple(
        ComparedSlice(f"/d/{name}", kind, f"{kind}/{name}", p, label(p), q, label(q))
        for name, kind, p in ROWS
        for q in [others.get(name, p)]
    )
    comparison = Comparison({}, {}, 0.0, (0.0, 0.0), 1.0, "", slices, 0, 0)
    assert names(disagreed(read_review(run), comparison)) == ["d.png", "a.png"]


@pytest.mark.parametrize("damage", ["metrics.json", "predictions.csv"])
def test_a_run_without_validation_is_said_not_to_be_judged(run, damage):
    (run / "validation" / damage).write_text("{}" if damage == "metrics.json" else "file\nx\n")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_review(run)
    (run / "validation" / damage).unlink()
    with pytest.raises(DatasetError, match="not been judged"):
        read_review(run)


def test_what_is_known_of_patient_and_scanner_is_found_again(tmp_path):
    said = Prediction("Positive", 0.9, "Positive", 0.5, "model@0")
    known = [
        (0.125, Acquisition(61, "F", "=Maker, 64", 1.25)),
        (None, UNKNOWN),
        (0.0, Acquisition(0, "", "", None)),
    ]
    slices = [
        ClassifiedSlice(Item(Path(f"{n}"), n % 2, f"{n}"), "DICOM", (64, 64), said, share, told)
        for n, (share, told) in enumerate(known)
    ]
    write_evaluation(tmp_path, slices, [], "data", "all")
    read = read_evaluation(tmp_path).slices
    assert [(one.opacity_share, one.acquisition) for one in read] == known


def test_an_evaluation_records_what_dicom_headers_say_and_how_opaque_the_lungs_are(
    tmp_path, tiny_model, volume, ct_header, ct_file
):
    headers = {"CT_COVID": {"PatientAge": "061Y", "PatientSex": "F"}, "CT_NonCOVID": {}}
    for number, (name, elements) in enumerate(headers.items()):
        (tmp_path / name).mkdir()
        data = ct_file(ct_header(number, **elements), volume[1 + number])
        (tmp_path / name / "a.dcm").write_bytes(data)
    evaluate(Classifier.load(tiny_model), tmp_path, "all", tmp_path / "out")
    ill, other = read_evaluation(tmp_path / "out").slices
    assert ill.acquisition == Acquisition(61, "F")
    assert other.acquisition == UNKNOWN
    assert 0 < other.opacity_share < 1


def test_names_are_found_again_and_no_spreadsheet_takes_them_for_formulas(tmp_path):
    given = ["=1+1.png", "'a.png", '-1,"x".png', "\udce4.png"]
    said = Prediction("Positive", 0.9, "Positive", 0.5, "model@0")
    slices = [
        ClassifiedSlice(Item(Path(name), number % 2, f"{name}/{number}"), "PNG", (64, 64), said)
        for number, name in enumerate(given)
    ]
    write_evaluation(tmp_path, slices, [], "data", "all")
    read = read_evaluation(tmp_path).slices
    assert names(read) == given
    assert [one.patient for one in read] == [one.item.patient for one in slices]
    written = (tmp_path / "predictions.csv").read_text(errors="surrogateescape")
    fields = written.removesuffix('"\n').removeprefix('"').replace('"\n"', '","').split('","')
    assert len(fields) == 16 * (1 + len(given))
    assert not any(field.startswith(("=", "+", "-", "@")) for field in fields)
