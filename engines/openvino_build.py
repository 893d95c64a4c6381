"""From a graph to the networks of an OpenVINO plan."""

import io

import numpy as np
import onnx

from engines import verify
from engines.catalog import ModelSpec
from engines.errors import EngineError
from engines.openvino import Networks, OpenVinoRunner, core, options
from engines.precision import wants_bfloat16
from engines.runner import Report

# Only the emotion network is so small that calling it costs a tenth of its time.
LARGER = {"detector": (), "emotion": (8,), "embedder": ()}


def compiled(model: onnx.ModelProto, spec: ModelSpec, report: Report) -> Networks:
    """Compile a graph for a batch of one, and for larger ones that change no bit of an answer.

    Raises:
        EngineError: OpenVINO does not take the graph; the message has its words.
    """
    hint = "bf16" if wants_bfloat16(model) else "f32"
    outputs = tuple(output.name for output in model.graph.output)
    sizes = (1, *(size for size in LARGER[spec.task] if size <= spec.max_batch))
    blobs: dict[int, bytes] = {}
    for done, rows in enumerate(sizes):
        report("compile", done, len(sizes))
        blobs[rows] = _exported(model, spec, rows, hint)
    alone = OpenVinoRunner(Networks(hint, outputs, {1: blobs[1]}))
    kept = {
        rows: blob
        for rows, blob in blobs.items()
        if rows == 1
        or _alike(alone, OpenVinoRunner(Networks(hint, outputs, {1: blobs[1], rows: blob})), spec)
    }
    return Networks(hint, outputs, kept)


def _exported(model: onnx.ModelProto, spec: ModelSpec, rows: int, hint: str) -> bytes:
    try:
        network = core().read_model(io.BytesIO(model.SerializeToString()))
        network.reshape([rows, *verify.input_shape(spec)])
        blob: bytes = core().compile_model(network, "CPU", options(hint)).export_model().read()
        return blob
    except RuntimeError as error:
        raise EngineError(f"OpenVINO does not take the graph of {spec.name}: {error}") from error


def _alike(alone: OpenVinoRunner, together: OpenVinoRunner, spec: ModelSpec) -> bool:
    """Whether both answer real faces with the same bits: kernels may differ by batch size."""
    feeds = {verify.input_name(spec.task): verify.probe(spec)}
    expected, actual = alone.infer(feeds), together.infer(feeds)
    return all(np.array_equal(expected[name], actual[name]) for name in expected)
