import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from covidct.inference.card import MODEL_FILE
from covidct.runtime.graph import Graph, GraphError, WrongHash, read_verified

ASK_ONCE = """
import sys
from pathlib import Path
import numpy as np
from covidct.runtime.graph import Graph
graph = Graph(Path(sys.argv[1]).read_bytes())
print(graph("only", np.zeros(graph.input_shapes["only"], np.float32))[0].shape)
"""


@pytest.fixture(scope="module")
def data(tiny_model):
    return (tiny_model / MODEL_FILE).read_bytes()


@pytest.fixture(scope="module")
def graph(data):
    return Graph(data)


@pytest.fixture(scope="module")
def pictures(graph):
    rng = np.random.default_rng(0)
    return rng.random((12, *graph.input_shapes["only"])).astype(np.float32)


def test_a_signature_gives_maps_of_the_shapes_that_are_told(graph, pictures):
    assert graph.input_shapes == {"only": (1, 64, 64, 1)}
    assert graph.output_shapes == {"only": [(1, 2, 2, 1280)]}
    (maps,) = graph("only", pictures[0])
    assert maps.shape == (1, 2, 2, 1280)
    assert maps.dtype == np.float32


def test_many_threads_get_what_one_gets(graph, pictures):
    alone = [graph("only", picture)[0] for picture in pictures]
    with ThreadPoolExecutor(3 * graph.interpreters) as pool:
        threaded = list(pool.map(lambda picture: graph("only", picture)[0], [*pictures] * 4))
    assert len({maps.tobytes() for maps in alone}) == len(alone)
    assert all(map(np.array_equal, alone * 4, threaded))


def test_what_was_given_out_is_not_changed_by_the_next_call(graph, pictures):
    (maps,) = graph("only", pictures[0])
    before = maps.copy()
    for picture in pictures:
        graph("only", picture)
    assert np.array_equal(maps, before)


def test_a_failed_call_takes_no_interpreter_with_it(graph, pictures):
    for _ in range(graph.interpreters + 1):
        with pytest.raises(KeyError):
            graph("other", pictures[0])
    assert graph("only", pictures[0])


@pytest.mark.parametrize("length", [0, 4, 1000, 1_000_000])
def test_a_graph_that_is_cut_off_is_refused(data, length):
    assert length < len(data)
    with pytest.raises(GraphError):
        Graph(data[:length])


@pytest.mark.parametrize("other", [b"no graph", bytes(1000), b"PK\3\4" + bytes(100)])
def test_what_is_no_graph_is_refused(other):
    with pytest.raises(GraphError):
        Graph(other)


def test_a_file_with_another_hash_is_refused_without_a_word_of_its_content(tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(b"secret content")
    known = hashlib.sha256(b"secret content").hexdigest()
    assert read_verified(file, known) == b"secret content"
    file.write_bytes(b"Secret content")
    with pytest.raises(WrongHash) as refusal:
        read_verified(file, known)
    assert str(file) in str(refusal.value)
    assert "ecret" not in str(refusal.value).replace(str(file), "")
    with pytest.raises(FileNotFoundError):
        read_verified(tmp_path / "none", known)


def test_a_graph_runs_without_a_word_on_standard_error(tiny_model, root):
    command = [sys.executable, "-c", ASK_ONCE, str(tiny_model / MODEL_FILE)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 2, 2, 1280)\n"
    assert done.stderr == ""
