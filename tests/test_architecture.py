import ast
import subprocess
import sys

import covidct

FLOORS = {
    "errors": 0,
    "files": 0,
    "home": 0,
    "spreadsheets": 0,
    "zip_archive": 0,
    "imaging": 1,
    "data": 2,
    "models": 2,
    "inference": 3,
    "training": 3,
    "evaluation": 4,
    "reports": 4,
    "commands": 5,
    "ui": 5,
    "__main__": 5,
}


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _modules(root):
    for path in (root / "covidct").rglob("*.py"):
        parts = path.relative_to(root / "covidct").with_suffix("").parts
        if parts[0] != "__init__":
            yield path, parts[0]


def test_modules_import_only_from_their_own_floor_or_below(root):
    for path, part in _modules(root):
        for imported in _imports(path):
            if imported.startswith("covidct."):
                target = imported.split(".")[1]
                if target in FLOORS:
                    assert FLOORS[target] <= FLOORS[part], f"{path} imports {imported}"


def test_only_the_user_interface_imports_streamlit(root):
    for path, part in _modules(root):
        if part != "ui":
            assert not any(name.split(".")[0] == "streamlit" for name in _imports(path)), path


def test_imaging_and_errors_do_without_tensorflow(root):
    for path, part in _modules(root):
        if part in ("imaging", "errors"):
            heavy = {name.split(".")[0] for name in _imports(path)} & {"tensorflow", "keras"}
            assert not heavy, f"{path} imports {heavy}"


def test_importing_the_package_is_cheap(root):
    code = (
        "import sys, covidct, covidct.imaging, covidct.__main__, covidct.training.jobs,"
        "covidct.training.progress, covidct.training.run_folder, covidct.training.config;"
        "print({'tensorflow', 'keras', 'streamlit', 'sklearn'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_the_public_names_exist():
    for name in covidct.__all__:
        assert getattr(covidct, name) is not None
    assert {"load_dataset", "classify_image", "Classifier", "explain"} <= set(covidct.__all__)


def test_an_unknown_name_is_an_attribute_error():
    try:
        covidct.no_such_name  # noqa: B018
    except AttributeError as error:
        assert "no_such_name" in str(error)
    else:
        raise AssertionError("an unknown name was found")


def test_the_top_level_is_the_clients(root):
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    top = {path.split("/")[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} <= {
        "app.py",
        "covidct",
        "weights",
        "requirements.txt",
        "tests",
        "README.md",
        "LICENSE",
        "pyproject.toml",
    }
