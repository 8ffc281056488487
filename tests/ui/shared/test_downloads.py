"""What the buttons of the Diagnose page hand over."""

import re
from io import BytesIO, StringIO
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom import dcmread
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from covidct.inference.heatmap import overlay
from covidct.ui.shared import downloads

OBJECTS = "covidct-dicom.zip"
NAMES = ("covidct-results.csv", "covidct-slice.pdf", "covidct-overlay.dcm", "covidct-overlay.png")


@pytest.fixture
def offered(monkeypatch) -> dict[str, bytes]:
    """What the buttons that were drawn last would hand over, by the names of the files."""
    made = {}
    offer = downloads._offer

    def keep(title, name, mime, make, **look):
        if not look.get("disabled"):
            made[name] = make
        offer(title, name, mime, make, **look)

    monkeypatch.setattr(downloads, "_offer", keep)
    return made


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "") for name, data in files])
    app.run()
    assert not app.exception
    return app


def test_nothing_is_offered_before_there_is_a_result(app, offered):
    assert not offered
    assert not app.get("download_button")


def test_the_table_holds_what_the_page_shows(app, offered, png):
    upload(app, ("one.png", png), ("bad.png", b"plain text"))
    table = pd.read_csv(StringIO(offered[NAMES[0]]().decode()))
    shown = app.dataframe[0].value
    assert list(table["file"]) == list(shown["File"])
    assert list(table["decision"].fillna("Not read")) == list(shown["Decision"])
    assert table["probability"][0] == pytest.approx(shown["Probability"][0] / 100, abs=1e-6)
    assert table["error"][1] == shown["Remarks"][1]


def test_report_and_overlay_are_of_the_slice_as_it_is_on_show(app, offered, png):
    upload(app, ("Secret Patient.png", png))
    app.slider(key="opacity").set_value(90).run()
    app.selectbox(key="colormap").set_value("Viridis").run()
    app.selectbox(key="method").set_value("layercam").run()
    (view,) = app.session_state["shown"].values()
    on_page = overlay(view.ct_slice, view.heat_map(None, "layercam"), 0.9, "Viridis")
    capture = dcmread(BytesIO(offered[NAMES[2]]()))
    assert np.array_equal(capture.pixel_array, on_page)
    with Image.open(BytesIO(offered[NAMES[3]]())) as png_file:
        drawn = np.asarray(png_file)
        assert np.array_equal(drawn[: len(on_page)], on_page)
        assert drawn[len(on_page) :].max() > 200  # the verdict, to be read
        assert "Research use only" in png_file.text["Description"]
        assert "Secret" not in str(png_file.text)
    page = PdfReader(BytesIO(offered[NAMES[1]]())).pages[0]
    assert "LayerCAM" in page.extract_text()
    assert "Secret" not in page.extract_text() + str(capture)
    pictures = [np.asarray(image.image.convert("RGB")) for image in page.images]
    assert any(np.array_equal(picture, on_page) for picture in pictures)


def test_the_report_on_a_series_has_its_verdict_and_its_notes(app, offered, scan):
    upload(app, *((str(number), scan[number]) for number in (0, 1, 3)))
    pages = PdfReader(BytesIO(offered[NAMES[1]]())).pages
    page = pages[0].extract_text()
    titles = [re.search(r"slice (\d)", one.extract_text()) for one in pages[1:]]
    assert sorted(title[1] for title in titles) == ["1", "2", "3"]  # the open one is the first
    shown = "".join(element.value for element in app.get("html"))
    for said in ("The series, by the slices around", "One slice seems to be missing"):
        assert said in shown
        assert said in page


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside another file"])
def test_the_table_tells_what_was_set_aside(app, offered, scan, png, beside):
    slices = [(str(number), scan[number]) for number in (0, 1)]
    other = [("other.png", png)] if beside else []
    upload(app, *slices, ("again", scan[1]), *other)
    table = pd.read_csv(StringIO(offered[NAMES[0]]().decode()))
    (left_out,) = table[table["set_aside"].notna()].to_dict("records")
    assert left_out["set_aside"] == "The same slice as another one of the series."
    assert left_out["case"] == 1
    assert table["case"].nunique() == 1 + beside
    assert len(table) == 4 + len(other)  # and the series
    assert table["series"].notna().sum() == 1


def test_a_file_that_was_refused_leaves_only_the_table(app, offered):
    upload(app, ("bad.png", b"plain text"))
    assert set(offered) == {NAMES[0]}


def test_identifiers_are_asked_for_with_dicom_only_and_are_not_kept_unasked(
    app, offered, png, scan
):
    upload(app, ("one.png", png))
    assert not app.checkbox
    upload(app, ("scan", scan[1]))
    assert not dcmread(BytesIO(offered[NAMES[2]]())).PatientName
    app.checkbox[0].check().run()
    capture = dcmread(BytesIO(offered[NAMES[2]]()))
    assert capture.PatientName == "Secret^Patient"
    assert "Secret" not in PdfReader(BytesIO(offered[NAMES[1]]())).pages[0].extract_text()
    upload(app, ("one.png", png))
    assert not dcmread(BytesIO(offered[NAMES[2]]())).PatientName


def test_what_lies_beside_the_series_in_an_archive_is_made_only_with_identifiers(
    app, offered, volume, ct_header, ct_file
):
    placed = {"StudyInstanceUID": "1.2.9", "FrameOfReferenceUID": "1.2.8"}
    slices = [ct_file(ct_header(number, **placed), volume[number]) for number in range(2)]
    upload(app, *((str(number), data) for number, data in enumerate(slices)))
    assert OBJECTS not in offered
    app.checkbox[0].check().run()
    with ZipFile(BytesIO(offered[OBJECTS]())) as archive:
        made = {name: dcmread(BytesIO(archive.read(name))) for name in archive.namelist()}
    assert {name: one.Modality for name, one in made.items()} == {
        "seg.dcm": "SEG",
        "sr.dcm": "SR",
        "map.dcm": "OT",
    }
    for one in made.values():
        assert (one.PatientName, one.StudyInstanceUID) == ("Secret^Patient", "1.2.9")
    sources = made["seg.dcm"].ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert len(sources) == len(slices)


def test_why_there_are_captures_alone_is_said(app, offered, scan):
    upload(app, ("0", scan[0]), ("1", scan[1]))
    app.checkbox[0].check().run()
    assert OBJECTS not in offered
    said = "".join(element.value for element in app.get("html"))
    assert "only secondary captures can be made" in said
    assert "a frame of reference" in said
