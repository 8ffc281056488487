"""What the code and its configuration must never hold."""

import ast
import tomllib

import pytest

UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CODE_FROM_TEXT = {"eval", "exec", "compile", "__import__"}


@pytest.fixture(scope="module")
def trees(root):
    files = [*(root / "covidct").rglob("*.py"), root / "app.py"]
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name in names:
                yield node


def keywords(call):
    return {word.arg: getattr(word.value, "value", None) for word in call.keywords}


def test_nothing_is_unpickled_and_no_text_becomes_code(trees):
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                names.append(getattr(node, "module", None) or "")
                assert not {name.split(".")[0] for name in names} & UNPICKLING, file
        for call in calls(tree, "load"):
            assert not keywords(call).get("allow_pickle"), file
            from_torch = getattr(getattr(call.func, "value", None), "id", "") == "torch"
            assert not from_torch or keywords(call).get("weights_only") is True, file
        built_in = [c for c in calls(tree, *CODE_FROM_TEXT) if isinstance(c.func, ast.Name)]
        assert built_in == [], file


def test_networks_are_opened_in_safe_mode_alone(trees):
    opened = [call for tree in trees.values() for call in calls(tree, "load_model")]
    assert opened
    assert all(keywords(call).get("safe_mode") is True for call in opened)


def test_no_page_lets_streamlit_pass_markup_through(trees):
    for file, tree in trees.items():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call):
                words = keywords(call)
                assert not words.get("unsafe_allow_html"), file
                assert not words.get("unsafe_allow_javascript"), file


def test_no_command_goes_through_a_shell(trees):
    for file, tree in trees.items():
        for call in calls(tree, "run", "Popen", "check_output", "call", "system", "popen"):
            assert not keywords(call).get("shell"), file
            assert getattr(call.func, "attr", "") not in ("system", "popen"), file


def test_the_server_is_closed_to_other_machines_and_other_sites(root):
    settings = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    server = settings["server"]
    assert server["address"] == "localhost"
    assert server["enableXsrfProtection"] is True and server["enableCORS"] is True
    assert server["enableStaticServing"] is False
    assert server["maxUploadSize"] <= 500
    assert settings["client"]["showErrorDetails"] == "none"
