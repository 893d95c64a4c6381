"""From a graph to the compiled networks of an OpenVINO plan."""

import io

import numpy as np
import onnx

from engines import heights
from engines.backends.openvino.runner import CompiledNetworks, OpenVinoRunner, core, options
from engines.catalog import ModelSpec
from engines.errors import EngineError
from engines.graph.precision import wants_bfloat16
from engines.probe_inputs import probe
from engines.types import Report
from tensorrtx.layers import HEIGHT

# Further batch sizes, for networks so small that the call itself takes a tenth of the time.
LARGER = {"detector": (), "landmarks": (8,), "emotion": (8,), "embedder": ()}


def compiled(model: onnx.ModelProto, spec: ModelSpec, report: Report) -> CompiledNetworks:
    """Compile a graph for batch size 1, and for larger ones that give the same bits.

    If its height is dynamic, it is compiled for each of `heights.common`.

    Raises:
        EngineError: OpenVINO rejects the graph; the message has its reason.
    """
    hint = "bf16" if wants_bfloat16(model) else "f32"
    outputs = tuple(output.name for output in model.graph.output)
    shapes = [(1, height) for height in _heights(model, spec)]
    full = shapes[-1][1]
    shapes += [(rows, full) for rows in LARGER[spec.task] if rows <= spec.max_batch]
    blobs: dict[tuple[int, int], bytes] = {}
    for done, shape in enumerate(shapes):
        report("compile", done, len(shapes))
        blobs[shape] = _exported(model, spec, shape, hint)
    single = {shape: blob for shape, blob in blobs.items() if shape[0] == 1}
    alone = OpenVinoRunner(CompiledNetworks(hint, outputs, single))
    compiled = {
        shape: blob
        for shape, blob in blobs.items()
        if shape in single
        or _same_bits(
            alone, OpenVinoRunner(CompiledNetworks(hint, outputs, {**single, shape: blob})), spec
        )
    }
    return CompiledNetworks(hint, outputs, compiled)


def _heights(model: onnx.ModelProto, spec: ModelSpec) -> tuple[int, ...]:
    shapes = [value.type.tensor_type.shape for value in model.graph.input]
    free = any(side.dim_param == HEIGHT for shape in shapes for side in shape.dim)
    return heights.common(spec) if free else spec.input_shape[:1]


def _exported(model: onnx.ModelProto, spec: ModelSpec, shape: tuple[int, int], hint: str) -> bytes:
    try:
        network = core().read_model(io.BytesIO(model.SerializeToString()))
        network.reshape([*shape, *spec.input_shape[1:]])
        blob: bytes = core().compile_model(network, "CPU", options(hint)).export_model().read()
        return blob
    except RuntimeError as error:
        raise EngineError(f"OpenVINO does not take the graph of {spec.name}: {error}") from error


def _same_bits(alone: OpenVinoRunner, together: OpenVinoRunner, spec: ModelSpec) -> bool:
    """Whether both give the same bits for the probe: kernels may differ by batch size."""
    feeds = {spec.input_name: probe(spec)}
    expected, actual = alone.infer(feeds), together.infer(feeds)
    return all(np.array_equal(expected[name], actual[name]) for name in expected)
