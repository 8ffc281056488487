"""The Diagnose page's logic, without a browser."""

import re

import pytest
from drawn import html
from streamlit.testing.v1 import AppTest

from covidct.data.classes import class_title
from covidct.imaging.anatomy.gate import OUTSIDE_USE
from covidct.imaging.dicom.window import VIEWING_WINDOWS
from covidct.imaging.readers import read_slice
from covidct.inference.cases import groups_in
from covidct.inference.classifier import Classifier
from covidct.inference.judge import judge
from covidct.inference.promotion import promote
from covidct.reports.words import percent
from covidct.ui import strings
from covidct.ui.diagnose.first_look import SAMPLES

TEXT = b"This is no slice at all, it is a plain text file."
MARKUP = ["<b>x</b>.png", "**bold**.png", ":red[x].png", "`code`.png", "$x$.png", "[a](b).png"]


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    app.file_uploader[0].set_value([(name, data, "") for name, data in files])
    return app.run()


def open_file(app: AppTest, name: str) -> AppTest:
    """Walk through the slices until that of a file is open."""
    while app.button(key="step Left").proto.disabled is False:
        app.button(key="step Left").click().run()
    while f'<h2 class="cv-file">{name}</h2>' not in html(app):
        app.button(key="step Right").click().run()
    return app


def decisions(app: AppTest) -> list[str]:
    return re.findall(r'class="cv-decision">(\w+)<', html(app))


def test_a_visitor_finds_title_uploader_first_look_and_notice(app):
    assert not app.exception
    assert app.title[0].value
    assert app.file_uploader[0].accept_multiple_files
    assert not app.file_uploader[0].allowed_type
    assert {b.label for b in app.button} == set(SAMPLES)
    assert "Research use only" in html(app)
    assert not decisions(app)


@pytest.mark.parametrize("title", SAMPLES)
def test_the_first_look_gives_a_verdict_on_a_slice_that_is_called_synthetic(app, title):
    app.button(key=f"sample {title}").click().run()
    assert not app.exception
    assert decisions(app)[0] in ("Positive", "Negative", "Uncertain")
    assert f'<h2 class="cv-file">Synthetic slice: {title}</h2>' in html(app)
    assert "it shows no patient" in html(app)


def test_one_slice_gets_its_verdict_gauge_and_map(app, png):
    upload(app, ("slice.png", png))
    assert not app.exception
    assert len(decisions(app)) == 1
    assert "operating point" in html(app)
    assert "Uncertain: 26% to 47%" in html(app)
    share = r"<strong>[\w %]+</strong> of the Relative Grad-CAM heat lies in the lungs"
    assert re.search(share, html(app))
    assert "Research use only" in html(app)


def test_a_model_of_several_classes_tells_the_probability_of_each(
    own_home, three_class_run, at_the_door, png
):
    promote(three_class_run)
    app = at_the_door.button(key="accept").click().run()
    upload(app, ("slice.png", png))
    assert not app.exception
    assert len(decisions(app)) == 1
    found = Classifier.open(three_class_run).classify(read_slice(png)).classes
    shown = re.findall(r"<li><span>([\w-]+)</span>", html(app))
    assert shown == [class_title(name) for name in sorted(found, key=lambda name: -found[name])]


def test_of_a_series_a_model_of_several_classes_tells_the_probability_of_each(
    own_home, three_class_run, at_the_door, scan
):
    promote(three_class_run)
    app = at_the_door.button(key="accept").click().run()
    upload(app, *((f"{number}.dcm", data) for number, data in enumerate(scan)))
    assert not app.exception
    groups = groups_in((f"{number}.dcm", data) for number, data in enumerate(scan))
    ((_group, outcomes),) = judge(Classifier.open(three_class_run), groups)
    whole = list(outcomes)[-1]
    drawn = html(app)
    title = "Probability of each class, by the slices that the verdict rests on"
    above, below = drawn.split(title)
    assert 'class="cv-file"' in above  # the slice that is open is not pushed down
    shown = re.findall(r"<li><span>([\w-]+)</span>.*?<b>([^<]+)</b>", below)
    ranked = sorted(whole.prediction.classes.items(), key=lambda one: -one[1])
    assert shown == [(class_title(name), percent(probability)) for name, probability in ranked]


def test_the_name_s_ending_does_not_matter(app, png):
    upload(app, ("slice.txt", png))
    assert len(decisions(app)) == 1


def test_a_bad_file_shows_its_error_beside_its_name_and_disturbs_no_other(app, png, other_png):
    alone = decisions(upload(app, ("good.png", png)))
    upload(app, ("good.png", png), ("bad.png", TEXT), ("empty", b""), ("other.png", other_png))
    assert not app.exception
    table = app.dataframe[0].value.set_index("File")
    assert set(table.index[:2]) == {"good.png", "other.png"}
    assert list(table.index[2:]) == ["bad.png", "empty"]
    assert list(table["Decision"] == "Not read") == [False, False, True, True]
    assert table.loc["good.png", "Decision"] == alone[0]
    assert "text file" in table.loc["bad.png", "Remarks"]

    assert decisions(open_file(app, "good.png")) == alone
    open_file(app, "bad.png")
    assert not decisions(app)
    assert table.loc["bad.png", "Remarks"] in html(app)


def test_a_refused_picture_can_be_looked_at_and_is_marked_outside_the_use(app, png, no_lungs):
    upload(app, ("page.png", no_lungs), ("slice.png", png))
    assert len(decisions(app)) == 1
    open_file(app, "page.png")
    assert not decisions(app)
    table = app.dataframe[0].value.set_index("File")
    assert table.loc["page.png", "Decision"] == "Refused"
    assert table.loc["page.png", "Remarks"] in html(app)
    app.button(key="look").click().run()
    assert not app.exception
    assert len(decisions(app)) == 1
    assert OUTSIDE_USE in html(app)
    assert strings.NO_MEANING in html(app)
    assert app.dataframe[0].value.set_index("File").loc["page.png", "Decision"] == "Refused"
    open_file(app, "slice.png")
    assert len(decisions(app)) == 1
    assert OUTSIDE_USE not in html(app)


def test_a_file_that_cannot_be_read_offers_nothing_to_look_at(app):
    upload(app, ("bad.png", TEXT))
    assert strings.LOOK_ANYWAY not in [button.label for button in app.button]


def test_the_most_suspicious_slice_is_open_and_the_others_follow_in_the_order_of_the_table(
    app, png, other_png
):
    upload(app, ("bad", TEXT), ("one.png", png), ("two.png", other_png))
    table = app.dataframe[0].value
    assert table["Probability"][:2].is_monotonic_decreasing
    for row, name in enumerate(table["File"]):
        assert f'<h2 class="cv-file">{name}</h2>' in html(app)
        assert f"{row + 1} of 3" in html(app)
        assert decisions(app) == ([table["Decision"][row]] if row < 2 else [])
        if row < 2:
            app.button(key="step Right").click().run()
    assert app.button(key="step Right").proto.disabled
    upload(app, ("two.png", other_png), ("one.png", png), ("bad", TEXT))
    assert '<h2 class="cv-file">bad</h2>' in html(app)  # still the one that is open


@pytest.mark.parametrize("name", MARKUP)
def test_markup_in_a_name_is_shown_literally(app, png, name):
    upload(app, (name, png), (name, TEXT))
    escaped = name.replace("<", "&lt;").replace(">", "&gt;")
    for row in (0, 1):
        if row:
            app.button(key="step Right").click().run()
        assert f'<h2 class="cv-file">{escaped}</h2>' in html(app)
        assert "<b>x</b>" not in html(app)
        interpreted = [*app.markdown, *app.caption, *app.error, *app.subheader, *app.expander]
        assert not [e for e in interpreted if name in str(e.proto)]


def test_controls_change_the_picture_and_ask_for_no_new_verdict(app, png):
    upload(app, ("slice.png", png))
    shown = dict(app.session_state["shown"])
    pictures = [image.value for image in app.get("image")]
    before = decisions(app)
    app.slider(key="opacity").set_value(100).run()
    app.selectbox(key="colormap").set_value("Viridis").run()
    assert decisions(app) == before
    changed = [image.value for image in app.get("image")]
    assert changed[0] == pictures[0]
    assert changed[1] != pictures[1]
    (key,) = shown
    assert app.session_state["shown"][key] is shown[key]


def test_another_method_draws_another_map_for_the_same_verdict(app, png):
    upload(app, ("slice.png", png))
    before, overlay = decisions(app), app.get("image")[1].value
    app.selectbox(key="method").set_value("layercam").run()
    assert not app.exception
    assert decisions(app) == before
    assert "of the LayerCAM heat" in html(app)
    assert app.get("image")[1].value != overlay


def test_another_viewing_window_changes_the_picture_and_never_the_verdict(app, scan):
    upload(app, ("no ending", scan[1]))
    (key,) = app.session_state["shown"]
    predicted = app.session_state["shown"][key].predicted
    lung, verdict = [image.value for image in app.get("image")], decisions(app)
    assert app.segmented_control(key="window").value == "Lung"
    assert strings.VIEWING_ONLY in html(app)
    seen = [lung]
    for name in ("Mediastinal", "Wide"):
        app.segmented_control(key="window").set_value(name).run()
        preset = VIEWING_WINDOWS[name]
        assert app.number_input(key="window_centre").value == preset.centre
        assert app.number_input(key="window_width").value == preset.width
        seen.append([image.value for image in app.get("image")])
    app.number_input(key="window_width").set_value(1200).run()
    assert app.segmented_control(key="window").value is None
    seen.append([image.value for image in app.get("image")])
    assert len(set(map(str, seen))) == 4
    assert not app.exception
    assert decisions(app) == verdict
    assert app.session_state["shown"][key].predicted is predicted
    app.segmented_control(key="window").set_value("Lung").run()
    assert [image.value for image in app.get("image")] == lung


def test_without_hounsfield_units_there_is_no_window_to_choose(app, png):
    upload(app, ("slice.png", png))
    assert not app.segmented_control
    assert strings.VIEWING_ONLY not in html(app)


def test_controls_outlast_a_file_that_has_no_map(app, png):
    upload(app, ("slice.png", png), ("bad", TEXT))
    app.slider(key="opacity").set_value(80).run()
    app.button(key="step Right").click().run()
    app.button(key="step Left").click().run()
    assert app.slider(key="opacity").value == 80


def test_verdicts_are_kept_by_content_while_their_files_are_on_the_page(app, png, other_png):
    upload(app, ("one.png", png), ("two.png", other_png))
    kept = dict(app.session_state["outcomes"])
    upload(app, ("renamed.png", png))
    (key,) = app.session_state["outcomes"]
    assert app.session_state["outcomes"][key] is kept[key]
    app.file_uploader[0].clear().run()
    assert not app.session_state["outcomes"]
    assert not app.session_state["shown"]


def test_every_picture_has_a_text_alternative(app, png):
    pictures = [*app.get("image"), *upload(app, ("slice.png", png)).get("image")]
    assert len(pictures) >= 5
    assert all(p.proto.imgs[0].alt for p in pictures)


def test_many_files_are_all_in_the_table(app, png):
    copies = [(f"{i}.png", png + bytes([i])) for i in range(30)]
    bad = [(f"{i}.bad", TEXT + bytes([65 + i])) for i in range(10)]
    upload(app, *copies, *bad)
    assert not app.exception
    table = app.dataframe[0].value
    assert len(table) == 40
    assert (table["Decision"] == "Not read").sum() == 10
    assert table["Probability"][:30].between(0, 100).all()
    assert len(decisions(app)) == 1


def test_the_model_and_its_card_can_be_read(app):
    assert "Model " in html(app)
    assert "About this model" in [e.label for e in app.expander]
    assert "<dt>Operating point</dt>" in html(app)
