"""Graphs that were made on purpose do no harm to the process that asks."""

import hashlib
import json
import shutil
import subprocess
import sys

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from covidct.inference.card import CARD_FILE, MODEL_FILE
from covidct.runtime.graph import GraphError
from covidct.runtime.trial import try_graph

OPEN = """
import sys
from pathlib import Path
from covidct.errors import ModelError
from covidct.inference.store import open_model
try:
    open_model(Path(sys.argv[1]))
except ModelError as error:
    print(error)
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def enlarging(graph: bytes, side: int) -> bytes:
    """The graph with all of its operations replaced by one that enlarges the picture."""
    model = schema.ModelT.InitFromPackedBuf(graph, 0)
    (whole,), (signature,) = model.subgraphs, model.signatureDefs
    picture, maps = signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex
    size, code = schema.TensorT(), schema.OperatorCodeT()
    size.shape, size.type, size.name = [2], schema.TensorType.INT32, b"size"
    size.buffer, content = len(model.buffers), schema.BufferT()
    content.data = np.frombuffer(np.array([side, side], "<i4").tobytes(), np.uint8)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RESIZE_BILINEAR
    resize = schema.OperatorT()
    resize.opcodeIndex = len(model.operatorCodes)
    resize.inputs, resize.outputs = [picture, len(whole.tensors)], [maps]
    resize.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
    resize.builtinOptions = schema.ResizeBilinearOptionsT()
    model.buffers.append(content)
    model.operatorCodes.append(code)
    whole.tensors.append(size)
    whole.operators = [resize]
    packed = flatbuffers.Builder(len(graph))
    packed.Finish(model.Pack(packed), b"TFL3")
    return bytes(packed.Output())


@pytest.fixture(scope="module")
def graph(tiny_model):
    return (tiny_model / MODEL_FILE).read_bytes()


def test_a_sound_graph_passes(graph):
    try_graph(graph)
    try_graph(enlarging(graph, 100))


@pytest.mark.parametrize("side", [40_000, 2**31 - 1])
def test_a_graph_that_takes_all_memory_is_refused(graph, side):
    with pytest.raises(GraphError):
        try_graph(enlarging(graph, side))


def test_open_model_ends_in_an_error_of_ours_whatever_the_graph_would_do(
    tiny_model, graph, tmp_path, root
):
    folder = shutil.copytree(tiny_model, tmp_path / "made on purpose")
    harmful = enlarging(graph, 40_000)
    (folder / MODEL_FILE).write_bytes(harmful)
    card = json.loads((folder / CARD_FILE).read_text())
    card["sha256"] = hashlib.sha256(harmful).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps(card))
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder)], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said, memory = done.stdout.strip().rsplit("\n", 1)
    assert "no network that covidct can run" in said
    assert int(memory) < 500
