"""Event files of runs, as a real TensorBoard serves them."""

import json
import re
import shutil
import subprocess
import sys
import time
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from covidct.training.events import write_events
from covidct.training.run_folder import read_metrics


@pytest.fixture
def opened():
    """TensorBoard on a folder: what it answers to a question of its page of scalars."""
    servers = []

    def serve(folder):
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port=0"]
        options = ["--load_fast=false", "--reload_interval=1"]
        server = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        servers.append(server)
        said = ""
        while not (found := re.search(r"http://\S+", said)):
            line = server.stderr.readline()
            assert line, said
            said += line
        url = f"{found[0].rstrip('/')}/data/plugin/scalars"

        def ask(path, **question):
            with urlopen(f"{url}/{path}?{urlencode(question)}") as answer:
                return json.load(answer)

        return ask

    yield serve
    for server in servers:
        server.kill()
        server.communicate()


def test_tensorboard_draws_the_figures_of_every_epoch(trained_run, tmp_path, opened):
    shutil.copytree(trained_run / "tensorboard", tmp_path / "tuned" / "tensorboard")
    for epoch, value in enumerate((0.5, 0.75, float("nan"))):
        write_events(tmp_path / "other", epoch, {"auc": value, "val_auc": 1 - value})
    ask = opened(tmp_path)
    parts = {f"{r}/tensorboard/{p}" for r in ("tuned", "other") for p in ("training", "validation")}
    while ask("tags").keys() != parts:
        time.sleep(0.1)
    for part, prefix in (("training", ""), ("validation", "val_")):
        for name in ("auc", "loss", "sensitivity"):
            drawn = ask("scalars", run=f"tuned/tensorboard/{part}", tag=name)
            rows = read_metrics(trained_run)
            assert [step for _, step, _ in drawn] == [row["epoch"] for row in rows]
            assert [value for _, _, value in drawn] == pytest.approx(
                [row[prefix + name] for row in rows], abs=1e-6
            )
    assert ask("tags")["other/tensorboard/validation"].keys() == {"auc"}
    assert len(ask("scalars", run="other/tensorboard/training", tag="auc")) == 3
