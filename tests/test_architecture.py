import ast
import json
import shutil
import subprocess
import sys

import covidct
from covidct.training.run_folder import start_run_folder

RUN_COMMANDS = """
import json, sys
from covidct.__main__ import main
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0, arguments
print({"tensorflow", "keras"} & sys.modules.keys())
"""
FLOORS = {
    "errors": 0,
    "files": 0,
    "home": 0,
    "runtime": 0,
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


def test_runtime_stands_on_nothing_of_covidct_and_on_no_tensorflow(root):
    for path, part in _modules(root):
        if part == "runtime":
            for name in _imports(path):
                top, *below = name.split(".")
                assert top not in ("tensorflow", "keras"), f"{path} imports {name}"
                assert top != "covidct" or below[0] == "runtime", f"{path} imports {name}"


def test_nothing_from_a_slice_to_its_report_imports_tensorflow(
    root, tiny_model, phantom_dataset, quick, tmp_path
):
    """In a fresh process, which imports nothing but what it needs."""
    run, slices = tmp_path / "run", phantom_dataset / "CT_COVID"
    start_run_folder(run, phantom_dataset, quick)
    shutil.copytree(tiny_model, run, dirs_exist_ok=True)
    model = ["--model", str(tiny_model)]
    commands = [
        ["classify", str(slices), "--json", *model],
        ["explain", str(slices / "a.png"), "--out", str(tmp_path / "overlay.png"), *model],
        [
            *("report", str(slices), "--csv", str(tmp_path / "report.csv")),
            *("--pdf", str(tmp_path / "report.pdf"), *model),
        ],
        ["evaluate", "--data", str(phantom_dataset), "--out", str(tmp_path / "figures"), *model],
        ["compare", "--run", str(run), *model],
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN_COMMANDS, json.dumps(commands)],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
    assert done.stderr == ""
    made = ("overlay.png", "report.csv", "report.pdf", "figures/metrics.json", "run/comparison")
    assert all((tmp_path / name).exists() for name in made)


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
