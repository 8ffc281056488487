"""Every file is read or refused with a sentence, whatever its bytes.

`-m endurance` tries 100,000 mutated files, the usual run a few of each kind. To look for longer:
python tests/fuzz/fuzz.py TARGET -max_total_time=3600 -timeout=5 -rss_limit_mb=1024 \
tests/fuzz/corpus/TARGET
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What a process held at most passes on to those it starts; a shell holds little.
SHELL = ["sh", "-c", '"$@"; exit $?', "fuzz"]
BOUNDS = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=20000", "-print_final_stats=1"]
FEW = {
    "picture": 300,
    "dicom": 200,
    "frame": 500,
    "nifti": 200,
    "archive": 300,
    "coding_style": 500,
    "paths": 200,
    "card": 0,
}
MANY = {
    "picture": 20_000,
    "dicom": 20_000,
    "frame": 25_000,
    "nifti": 10_000,
    "archive": 10_000,
    "coding_style": 10_000,
    "paths": 5_000,
    "card": 5_000,
}


def fuzz(target: str, runs: int, place: Path, *options: str) -> tuple[int, int]:
    """Files tried and the most memory in MB; fails where one did harm, and keeps that one."""
    (place / "new").mkdir()
    seeds = HERE / "corpus" / target
    command = [*SHELL, sys.executable, str(HERE / "fuzz.py"), target, *options, *BOUNDS]
    done = subprocess.run(
        [*command, f"-runs={runs}", f"-artifact_prefix={place}/", str(place / "new"), str(seeds)],
        capture_output=True,
        text=True,
        errors="replace",
        cwd=HERE.parents[1],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "COVIDCT_HOME": str(place)},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"see {place}\n{said[-3000:]}"
    tried, memory = (
        int(re.search(rf"stat::{name}:\s+(\d+)", said)[1])
        for name in ("number_of_executed_units", "peak_rss_mb")
    )
    return tried, memory


@pytest.mark.parametrize("target", [target for target, runs in FEW.items() if runs])
def test_a_few_mutated_files_are_read_or_refused(target, tmp_path):
    tried, _ = fuzz(target, FEW[target], tmp_path, "--ours-alone", "-keep_seed=1")
    assert tried >= FEW[target]


@pytest.mark.endurance
@pytest.mark.parametrize("target", MANY)
def test_many_mutated_files_are_read_or_refused(target, tmp_path, capsys):
    tried, memory = fuzz(target, MANY[target], tmp_path)
    assert tried >= MANY[target]
    with capsys.disabled():
        print(f"\n{target}: {tried:,} files tried, nothing but answers, at most {memory} MB")


def test_every_target_has_seeds_and_all_of_them_are_small():
    kept = list((HERE / "corpus").glob("*/*"))
    assert {path.parent.name for path in kept} == set(MANY)
    assert sum(path.stat().st_size for path in kept) < 300_000


def test_seeds_that_are_missing_are_written_and_others_are_left_as_they_are(tmp_path):
    fuzzing = shutil.copytree(HERE, tmp_path / "fuzz")
    kept = {file: file.read_bytes() for file in (fuzzing / "corpus").glob("*/*")}
    missing = fuzzing / "corpus" / "picture" / "grey.png"
    missing.unlink()
    old = fuzzing / "corpus" / "picture" / "grey.jpg"
    kept[old] = b"as another version of the encoder wrote it"
    old.write_bytes(kept[old])
    subprocess.run(
        [sys.executable, fuzzing / "seeds.py"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    written = {file: file.read_bytes() for file in (fuzzing / "corpus").glob("*/*")}
    assert written.pop(missing)
    del kept[missing]
    assert written == kept
