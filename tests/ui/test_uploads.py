"""From uploads to slices."""

import zipfile
from io import BytesIO

import numpy as np
import pytest

from covidct.errors import UnreadableSlice
from covidct.ui.uploads import sort_uploads


def zipped(files):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_files_shuffled_files_and_a_zip_give_the_same_slices_in_the_same_order(scan):
    names = [f"IM{number}" for number in range(len(scan))]
    in_order = dict(zip(names, scan, strict=True))
    shuffled = {name: in_order[name] for name in np.random.default_rng(0).permutation(names)}
    drops = (in_order.items(), shuffled.items(), [("scan.zip", zipped(shuffled))])
    first, *others = [sort_uploads(drop) for drop in drops]
    (series,) = first.series
    assert series.cases == range(len(first.cases))
    assert len(first.cases) > 1
    for other in others:
        assert [case.content for case in other.cases] == [case.content for case in first.cases]
        for case, twin in zip(first.cases, other.cases, strict=True):
            assert np.array_equal(case.read().pixels, twin.read().pixels)


def test_a_single_picture_and_a_damaged_zip_are_cases_of_their_own(png, scan):
    damaged = zipped({"a.png": png})[:-30]
    dropped = sort_uploads([("a.png", png), ("scan.zip", damaged), ("one", scan[1])])
    assert not dropped.series
    assert {case.name for case in dropped.cases} == {"a.png", "scan.zip", "one"}
    (bad,) = (case for case in dropped.cases if case.name == "scan.zip")
    with pytest.raises(UnreadableSlice, match="ZIP"):
        bad.read()


def test_a_series_is_shown_with_verdict_slider_and_reports(app, scan):
    app.file_uploader[0].set_value(
        [("scan.zip", zipped(dict(zip("abcdefghi", scan, strict=False))), "")]
    )
    app.run()
    assert not app.exception
    shown = "\n".join(element.value for element in app.get("html"))
    assert "Most suspicious slices first" in shown
    assert "The series, by the slices around" in shown
    slider = app.slider(key="series_slice")
    assert slider.max == len(app.dataframe[-1].value)
    slider.set_value(1).run()
    first = app.session_state["shown"]
    app.slider(key="series_slice").set_value(2).run()
    assert app.session_state["shown"].keys() != first.keys()
    assert len(app.get("download_button")) == 3


def test_what_lies_beyond_the_lungs_is_not_called_refused(app, scan, neck, ct_header, ct_file):
    files = dict(zip("abcdefg", scan, strict=True)) | {"neck": ct_file(ct_header(7), neck)}
    app.file_uploader[0].set_value([("scan.zip", zipped(files), "")])
    app.run()
    assert not app.exception
    decided = list(app.dataframe[-1].value["Decision"])
    assert decided[-1] == "Set aside"
    assert not {"Set aside", "Refused"} & set(decided[:-1])


def test_the_box_for_identifiers_is_not_ticked_for_the_next_slice(app, scan):
    app.file_uploader[0].set_value([("one", scan[1], "")])
    app.run()
    app.checkbox[0].check().run()
    app.file_uploader[0].set_value([("two", scan[2], "")])
    app.run()
    assert not app.checkbox[0].value
