"""What translators are given, and that their work reaches the pages."""

import ast
import json
import re
from io import BytesIO
from pathlib import Path
from string import Formatter

import patience
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from streamlit.testing.v1 import AppTest

from covidct import errors
from covidct.errors import CovidCTError
from covidct.ui import languages

MARKERS = {"_", "N_", "ngettext"}
SHOWN = {
    *("title", "header", "subheader", "markdown", "caption", "write", "text", "button", "checkbox"),
    *("expander", "popover", "spinner", "dialog", "selectbox", "multiselect", "segmented_control"),
    *("slider", "number_input", "text_input", "toggle", "file_uploader", "error", "warning"),
    *("info", "success", "progress", "callout", "hint", "label", "picture", "download", "Tooltip"),
    *("offer_csv", "Page"),
}
SPOKEN = {"help", "alt", "placeholder", "title"}


def trees(folder):
    for file in sorted(folder.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            yield (node.func.id if isinstance(node.func, ast.Name) else name), node


def literals(node):
    """The texts that a call is given literally, by way of a choice or a list too."""
    match node:
        case ast.Constant(value=str(text)) if any(map(str.isalpha, text)):
            yield text
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from literals(part)
        case ast.IfExp():
            yield from literals(node.body)
            yield from literals(node.orelse)
        case ast.BinOp():
            yield from literals(node.left)
            yield from literals(node.right)


@pytest.fixture(scope="module")
def extracted(root):
    """What Babel finds in the sources."""
    return {message for _, _, message, _, _ in extract_from_dir(root / "covidct")}


def test_the_catalogue_is_up_to_date(root, extracted):
    with (root / "covidct" / "locale" / "covidct.pot").open("rb") as file:
        listed = {message.id for message in read_po(file) if message.id}
    assert listed == extracted, "see “Texts” in covidct/docs/contributing.md"


def test_every_text_that_is_marked_is_extracted(root, extracted):
    """Babel sees none within an f-string, nor deep within another one."""
    found = {message if isinstance(message, str) else message[0] for message in extracted}
    for path, tree in trees(root / "covidct"):
        for name, call in calls(tree):
            if name in MARKERS and isinstance(call.args[0], ast.Constant):
                assert call.args[0].value in found, f"{path}:{call.lineno}"
            if name in MARKERS:
                assert not isinstance(call.args[0], ast.JoinedStr | ast.BinOp), (path, call.lineno)


def test_every_error_is_raised_with_a_marked_text(root):
    kinds = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, CovidCTError)
    }
    for path, tree in trees(root / "covidct"):
        for name, call in calls(tree):
            if name in kinds:
                assert not [*literals(call.args[0])], f"{path}:{call.lineno}"


def test_pages_show_no_text_that_is_not_translated(root):
    for path, tree in trees(root / "covidct" / "ui"):
        for name, call in calls(tree):
            given = call.args[:2] if name in SHOWN else []
            given += [word.value for word in call.keywords if word.arg in SPOKEN]
            for text in (text for node in given for text in literals(node)):
                assert not re.search("[A-Za-z]{2} |^[A-Z][a-z]+$", text), f"{path}:{call.lineno}"


def test_markup_holds_no_text_of_its_own(root):
    for path, tree in trees(root / "covidct" / "ui"):
        joined = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
        parts = {part for node in joined for part in ast.walk(node) if part is not node}
        alone = {node for node in ast.walk(tree) if isinstance(node, ast.Constant)} - parts
        for node in (*joined, *alone):
            held = node.values if isinstance(node, ast.JoinedStr) else [node]
            markup = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "" for part in held
            )
            assert not re.search('aria-label="[^"]', markup), f"{path}:{node.lineno}"
            if "</" in markup and not markup.startswith("<style>"):
                text = re.sub("<[^>]*>", "", markup)
                assert not any(map(str.isalpha, text)), f"{path}:{node.lineno}: {text}"


def test_pages_translate_when_they_are_drawn(root):
    """Not when a module is imported, which is done once for all sessions."""
    for path, tree in trees(root / "covidct" / "ui"):
        inside = {
            part
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.Lambda)
            for body in (node.body if isinstance(node, ast.FunctionDef) else [node.body])
            for part in ast.walk(body)
        }
        for name, call in calls(tree):
            assert name != "_" or call in inside, f"{path}:{call.lineno}"


LANGUAGES = sorted((Path(__file__).parents[1] / "covidct" / "locale").glob("*/LC_MESSAGES"))


@pytest.fixture(scope="module", params=LANGUAGES, ids=lambda folder: folder.parts[-2])
def language(request):
    """The folder of a language, and its texts as translators write them."""
    with (request.param / "covidct.po").open("rb") as file:
        return request.param, read_po(file)


def fields(text):
    """The values that stand in a text, with how they are written."""
    return {(name, form) for _, name, form, _ in Formatter().parse(text) if name is not None}


def test_spanish_and_chinese_are_there():
    assert {"es", "zh_Hans"} <= {folder.parts[-2] for folder in LANGUAGES}


def test_every_text_is_translated(language, extracted):
    _folder, catalogue = language
    assert {message.id for message in catalogue if message.id} == extracted
    for message in catalogue:
        if message.id:
            strings = message.string if message.pluralizable else (message.string,)
            assert all(strings) and not message.fuzzy, message.id
            if message.pluralizable:
                assert len(strings) == catalogue.num_plurals, message.id


def test_a_translation_has_the_values_of_its_original(language):
    for message in language[1]:
        if not message.id:
            continue
        if not message.pluralizable:
            assert fields(message.string) == fields(message.id), message.string
            continue
        singular, plural = map(fields, message.id)
        assert fields(message.string[-1]) == plural, message.string
        for string in message.string:
            assert singular <= fields(string) <= plural, message.string


def markup(text):
    """Space at both ends, which holds parts together, and Markdown."""
    ends = (re.match(r"\s*", text)[0], re.search(r"\s*\Z", text)[0])
    return ends, re.findall(r"\*\*|^#+ |^- |`", text, re.MULTILINE)


def test_a_translation_keeps_markup_and_the_space_around(language):
    for message in language[1]:
        if message.id and isinstance(message.id, str):
            assert markup(message.string) == markup(message.id), message.string


def test_what_is_compiled_is_what_is_translated(language):
    folder, catalogue = language
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    assert (folder / "covidct.mo").read_bytes() == compiled.getvalue(), "pybabel compile"


@pytest.fixture
def german(tmp_path, monkeypatch):
    """A catalogue of a few texts in the place where the pages look for them."""
    catalogue = Catalog("de", fuzzy=False)
    catalogue.add("I understand and accept", "Verstanden und angenommen")
    catalogue.add("The folder {folder} holds no files.", "Der Ordner {folder} ist leer.")
    catalogue.add("{shown} and {more:,} more", "{shown} und {more:,} weitere")
    catalogue.add(
        ("{count:,} patient", "{count:,} patients"), ("{count:,} Mensch", "{count:,} Menschen")
    )
    folder = tmp_path / "catalogues" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "covidct.mo").open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(languages, "CATALOGUES", tmp_path / "catalogues")


def _page(data):
    import streamlit as st

    from covidct.data.index import read_index
    from covidct.errors import DatasetError
    from covidct.ui.strings import _
    from covidct.ui.training import words

    st.text(words.shortened(["a", "b", "c"], at_most=2))
    st.text(_(words.patients(1)))
    st.text(_(words.patients(2000)))
    try:
        read_index(data)
    except DatasetError as error:
        st.text(_(error.message))
        st.text(str(error))


def shown(locale, data):
    app = AppTest.from_function(_page, default_timeout=patience.SECONDS, kwargs={"data": data})
    if locale:
        app.context["locale"] = locale
    app.run()
    assert not app.exception
    return [text.value for text in app.text]


@pytest.fixture
def empty(tmp_path):
    """A data set without files."""
    for name in ("CT_COVID", "CT_NonCOVID"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize("locale", ["de", "de-AT"])
def test_a_catalogue_reaches_parameters_plurals_and_errors(locale, german, empty):
    assert shown(locale, empty) == [
        "a, b und 1 weitere",
        "1 Mensch",
        "2.000 Menschen",
        "Der Ordner CT_COVID ist leer.",
        "The folder CT_COVID holds no files.",
    ]


@pytest.mark.parametrize("locale", ["en-GB", "fr", "../../de", None])
def test_without_a_catalogue_the_pages_are_english(locale, german, empty):
    assert shown(locale, empty)[:3] == ["a, b and 1 more", "1 patient", "2,000 patients"]


def test_a_whole_page_is_drawn_in_the_language_of_the_browser(root, german):
    app = AppTest.from_file(root / "covidct" / "ui" / "main.py", default_timeout=patience.SECONDS)
    app.context["locale"] = "de-DE"
    app.run()
    assert not app.exception
    assert app.button(key="accept").label == "Verstanden und angenommen"


def _chart():
    import streamlit as st

    from covidct.ui.training import charts

    rows = [{"epoch": 0.0, "auc": 0.5, "val_auc": 0.75}]
    st.altair_chart(charts.curve(rows, "auc", epochs=1, kept=1))


@pytest.mark.parametrize(("locale", "decimal"), [("es-ES", ","), ("es-MX", "."), ("en-GB", ".")])
def test_charts_write_numbers_as_the_language_does(locale, decimal):
    app = AppTest.from_function(_chart, default_timeout=patience.SECONDS)
    app.context["locale"] = locale
    app.run()
    assert not app.exception
    (chart,) = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")
    assert json.loads(chart.proto.spec)["config"]["locale"]["number"]["decimal"] == decimal
