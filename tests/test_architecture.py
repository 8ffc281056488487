import ast
import json
import re
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter

import pytest

import covidct
from covidct.training.run_folder import start_run_folder

RUN_COMMANDS = """
import json, sys
from covidct.__main__ import main
for arguments in json.loads(sys.argv[1]):
    assert main(arguments) == 0, arguments
print({"tensorflow", "keras", "highdicom"} & sys.modules.keys())
"""
FLOORS = (
    {
        "errors",
        "files",
        "home",
        "logs",
        "messages",
        "quota",
        "runtime",
        "spreadsheets",
        "stats",
        "tar_files",
        "telemetry",
        "terminal",
        "zip_files",
    },
    {"imaging", "jobs"},
    {"data", "models"},
    {"inference", "training"},
    {"evaluation", "reports"},
    {"archive", "cluster"},
    {"api"},
    {"ui"},
    {"benchmark"},
    {"commands"},
    {"__main__"},
)
FLOOR_OF = {part: number for number, floor in enumerate(FLOORS) for part in floor}


@pytest.fixture(scope="module")
def modules(root):
    """The files of all modules and packages below covidct by their dotted names."""
    files = (root / "covidct").rglob("*.py")
    named = {".".join(file.relative_to(root).with_suffix("").parts): file for file in files}
    del named["covidct.__init__"]
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


def _imports(path):
    """What a module imports, or starts by its name as a process of its own."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"^(?:.*-m )?(covidct(?:\.\w+)+)$", node.value, re.MULTILINE)


def _part(name):
    """The room or file below covidct that a module is of."""
    return name.split(".")[1]


def test_modules_import_only_from_their_own_floor_or_below(modules):
    for name, path in modules.items():
        part = _part(name)
        for imported in _imports(path):
            if imported.startswith("covidct."):
                target = _part(imported)
                if target in FLOOR_OF:
                    assert FLOOR_OF[target] <= FLOOR_OF[part], f"{path} imports {imported}"


def test_every_module_has_a_floor(modules):
    assert set(map(_part, modules)) == FLOOR_OF.keys()


def test_no_modules_import_each_other_not_even_by_way_of_others(modules):
    graph = {
        name: {imported for imported in _imports(path) if imported in modules} - {name}
        for name, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_only_the_user_interface_and_who_drives_it_import_streamlit(modules):
    for name, path in modules.items():
        if _part(name) not in ("ui", "benchmark"):
            assert not any(name.split(".")[0] == "streamlit" for name in _imports(path)), path


def test_imaging_errors_and_messages_do_without_tensorflow(modules):
    for name, path in modules.items():
        if _part(name) in ("imaging", "errors", "messages"):
            heavy = {name.split(".")[0] for name in _imports(path)} & {"tensorflow", "keras"}
            assert not heavy, f"{path} imports {heavy}"


def test_runtime_stands_on_nothing_of_covidct_and_on_no_tensorflow(modules):
    for name, path in modules.items():
        if _part(name) == "runtime":
            for imported in _imports(path):
                top, *below = imported.split(".")
                assert top not in ("tensorflow", "keras"), f"{path} imports {imported}"
                assert top != "covidct" or below[0] == "runtime", f"{path} imports {imported}"


def test_nothing_from_a_slice_to_its_report_imports_tensorflow_or_highdicom(
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
