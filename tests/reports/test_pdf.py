import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pypdf import PdfReader

from covidct.imaging.ct_slice import CTSlice
from covidct.inference.heatmap import overlay
from covidct.inference.judge import Judged, Refused
from covidct.inference.opacities import outlined
from covidct.reports.pdf import TABLE_ROWS, PDFReport, most_suspicious
from covidct.reports.words import CLASSES_OF_SERIES, OUTSIDE_LUNGS, classes_sentence


def words(page):
    return re.sub(r"\s+", " ", page.extract_text())


@pytest.fixture
def write(card, made):
    def pdf(add):
        report = PDFReport(card, made)
        add(report)
        return PdfReader(BytesIO(report.finish()), strict=True)

    return pdf


def test_a_slice_has_a_page_that_says_all_there_is_to_know(write, page, card):
    pdf = write(lambda report: report.add_slice(page))
    assert len(pdf.pages) == 1
    text = words(pdf.pages[0])
    for said in (
        "Case 3",
        "Positive",
        "83%",
        "operating point 50%",
        "Research use only.",
        "not a diagnosis",
        "Grad-CAM",
        "20% of the map lies inside the lungs",
        OUTSIDE_LUNGS,
        "Own model, validated on 118 slices of 56 patients.",
        "expected calibration error 0.085",
        card.model_id,
        card.sha256,
        *page.ct_slice.notes,
        "Made 2026-01-02 03:04",
    ):
        assert said in text


def test_a_slice_s_page_tells_the_probability_of_each_class(write, page):
    said = page.prediction.with_classes({"Normal": 0.75, "Pneumonia": 0.25})
    (pdf,) = write(lambda report: report.add_slice(replace(page, prediction=said))).pages
    assert "Classes COVID-19 83%, Normal 13%, Pneumonia 4%" in words(pdf)
    (two_classes,) = write(lambda report: report.add_slice(page)).pages
    assert "Classes" not in words(two_classes)


def test_a_series_page_tells_the_probability_of_each_class(write, series, classified_series):
    (*_slices, whole) = classified_series
    pages = write(lambda report: report.add_series("A series", classified_series, ())).pages
    said = f"Classes {classes_sentence(whole.prediction)}. {CLASSES_OF_SERIES}"
    assert said in " ".join(" ".join(map(words, pages)).split())
    two_classes = write(lambda report: report.add_series("A series", series, ())).pages
    assert "Classes" not in " ".join(map(words, two_classes))


def test_slice_and_overlay_are_in_it_pixel_for_pixel(write, page):
    pdf = write(lambda report: report.add_slice(page))
    pictures = [np.asarray(image.image.convert("RGB")) for image in pdf.pages[0].images]
    for pixels in (
        outlined(page.ct_slice, page.opacities.mask),
        overlay(page.ct_slice, page.heat),
    ):
        assert any(np.array_equal(pixels, picture) for picture in pictures)


def test_the_page_shows_what_the_user_chose(write, page):
    chosen = replace(page, opacity=0.9, colormap="Viridis")
    pdf = write(lambda report: report.add_slice(chosen))
    expected = overlay(page.ct_slice, page.heat, 0.9, "Viridis")
    pictures = [np.asarray(image.image.convert("RGB")) for image in pdf.pages[0].images]
    assert any(np.array_equal(expected, picture) for picture in pictures)


def test_an_empty_map_and_an_uncertain_verdict_are_said(write, page, predict):
    empty = replace(page.heat, values=np.zeros_like(page.heat.values), lung_share=None)
    pdf = write(lambda report: report.add_slice(replace(page, heat=empty, prediction=predict(0.5))))
    text = words(pdf.pages[0])
    assert "Uncertain" in text
    assert "no place on the slice speaks for Positive" in text
    assert "own peak" not in text


def test_a_series_has_its_figures_and_its_most_suspicious_slices(write, series, card):
    notes = ("One slice seems to be missing.",)
    pdf = write(lambda report: report.add_series("Case 2, a series", series, notes))
    text = words(pdf.pages[0])
    for said in ("12 Positive, 11 Negative, 6 Uncertain", "1 refused", "1 set aside"):
        assert said in text
    assert f"The {TABLE_ROWS} most suspicious of 29 slices" in text
    assert "The series, by the slices around" in text
    assert notes[0] in text
    assert card.sha256 in text
    for judged in most_suspicious(series):
        assert f"{judged.case.place.position_mm:.1f} mm" in text
    assert text.index("most suspicious of") < text.index("Probability of COVID-19 of each slice")


def test_a_column_that_no_slice_fills_is_left_out(write, series, case):
    bare = [
        replace(one, case=case(one.case.number), lung_share=None)
        for one in series
        if isinstance(one, Judged)
    ]
    text = words(write(lambda report: report.add_series("A series", bare, ())).pages[0])
    assert "Slice Probability Decision" in text
    bare[-1] = replace(bare[-1], case=case(bare[-1].case.number, 75.0))
    text = words(write(lambda report: report.add_series("A series", bare, ())).pages[0])
    assert "Slice Position Probability Decision" in text
    assert "75.0 mm" in text
    assert "unknown" in text


def test_nothing_but_refused_slices_makes_a_page_as_well(write, series):
    refused = [one for one in series if isinstance(one, Refused)]
    pdf = write(lambda report: report.add_series("Case 2, a series", refused, ()))
    assert "1 refused" in words(pdf.pages[0])


def test_the_most_suspicious_come_first_and_only_if_judged(series):
    assert [judged.case.number for judged in most_suspicious(series)] == [30, 29, 28, 27, 26]
    assert not most_suspicious([one for one in series if not isinstance(one, Judged)])


def test_neither_text_nor_metadata_tell_of_files_or_users(write, page, series):
    def add(report):
        report.add_slice(page)
        report.add_series("Case 2, a series", series, ())

    pdf = write(add)
    told = [*map(words, pdf.pages), *map(str, pdf.metadata.values())]
    assert not any("Secret" in text for text in told)
    assert set(pdf.metadata) <= {
        *("/Title", "/Author", "/Subject", "/Creator", "/Producer", "/Keywords", "/Trapped"),
        *("/CreationDate", "/ModDate"),
    }
    assert pdf.metadata.author == pdf.metadata.creator == "covidct"


def test_what_does_not_fit_goes_on_on_another_page(write, page, card):
    notes = tuple(f"Remark {number}. {'It is a long one. ' * 20}" for number in range(7))
    noted = CTSlice(page.ct_slice.pixels.copy(), source="<PNG> & co", notes=notes)
    pdf = write(lambda report: report.add_slice(replace(page, ct_slice=noted)))
    text = " ".join(map(words, pdf.pages))
    assert len(pdf.pages) == 2
    assert card.sha256 in text
    assert "<PNG> & co" in text
    assert all(f"Remark {number}." in text for number in range(7))


def test_every_page_names_its_part_the_model_and_the_research_use(write, page, series, card):
    notes = tuple(f"Note {number}. {'It is a long one. ' * 40}" for number in range(40))

    def add(report):
        report.add_series("Case 2, a series", series, ("endless " * 5000, *notes))
        report.add_slice(page)

    *of_series, of_slice = map(words, write(add).pages)
    assert len(of_series) > 3
    assert all("Case 2, a series" in text for text in of_series)
    assert "Case 3" in of_slice
    assert all(f"Note {number}." in " ".join(of_series) for number in range(40))
    for number, text in enumerate([*of_series, of_slice], 1):
        assert f"Page {number}" in text
        assert all(said in text for said in ("Research use only.", card.model_id, card.sha256))
        assert len(text) > 600  # no page has but its frame


@pytest.mark.parametrize("notes", [0, 4, 30])
def test_every_page_on_a_series_says_more_than_its_head_and_foot(write, series, notes):
    note = "A note that takes up a line of the page, or nearly so, as some of them do."
    empty = write(lambda report: report.add_series("The series", [], []))
    pages = write(lambda report: report.add_series("The series", series, [note] * notes)).pages
    assert len(pages) <= 2 + notes // 15
    for page in pages:
        assert len(words(page)) > len(words(empty.pages[0])) + 50
