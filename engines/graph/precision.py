"""A graph in another precision: float16 by conversion, int8 by symmetric quantisation.

Networks are strongly typed: the engines compute in the types of the graph. The exception is
bfloat16: the graph stays float32 with a metadata entry, and OpenVINO rounds while it computes.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from engines.catalog import ModelSpec, Precision

SINGLE, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
# Prefix of nodes that compute coordinates and norms: in float16, a coordinate of 600 pixels is off
# by 0.25.
EXACT = "decode/"
WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
# Operators whose other inputs do not have the type of the first.
ONE_MAP = {"Resize"}
# Metadata of a float32 graph that the engine should compute in bfloat16.
BFLOAT16 = {"computed_in": "bfloat16"}


def convert(
    model: onnx.ModelProto, spec: ModelSpec, precision: Precision, faces: Path | None = None
) -> onnx.ModelProto:
    """Return the graph in `precision`; `faces` is a folder of images to calibrate int8 with.

    Inputs and outputs keep their types: uint8 in, float32 out.

    Raises:
        EngineError: the folder has no images.
    """
    match precision:
        case "fp32":
            return model
        case "fp16":
            return to_half(model)
        case "bf16":
            return _with_metadata(model, BFLOAT16)
        case "int8":
            from engines.graph.calibration import quantized  # noqa: PLC0415  (a second to import)

            return quantized(model, spec, exact(model.graph), faces)


def wants_bfloat16(model: onnx.ModelProto) -> bool:
    """Whether the engine should compute the float32 graph in bfloat16."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    return entries.items() >= BFLOAT16.items()


def _with_metadata(model: onnx.ModelProto, entries: dict[str, str]) -> onnx.ModelProto:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    helper.set_model_props(changed, entries)
    return changed


def exact(graph: onnx.GraphProto) -> set[str]:
    """Outputs of the nodes that stay in float32 in every precision.

    These are box decoding and norms (`decode/`), softmax, the last node before each output, and the
    arithmetic on pixels before the first layer with weights (means and variances of bytes).
    """
    results = {value.name for value in graph.output}
    weighted: set[str] = set()
    outputs: set[str] = set()
    for node in graph.node:
        if node.op_type in WEIGHTED or weighted.intersection(node.input):
            weighted.update(node.output)
        if (
            node.name.startswith(EXACT)
            or node.op_type in {"Softmax", "Constant"}
            or results.intersection(node.output)
            or not weighted.intersection(node.output)
        ):
            outputs.update(node.output)
    return outputs


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph in float16, except for the nodes in `exact`."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    caster = _Caster(changed)
    single = exact(model.graph)
    nodes = [part for node in model.graph.node for part in caster.typed(node, single)]
    del changed.graph.node[:], changed.graph.value_info[:], changed.graph.initializer[:]
    changed.graph.node.extend(nodes)
    changed.graph.initializer.extend(caster.constants(model.graph.initializer))
    return changed


class _Caster:
    """Tracks the type of each float map, and casts where a node needs another."""

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = shape_inference.infer_shapes(model, strict_mode=True).graph
        values = (*graph.input, *graph.value_info, *graph.output)
        types = {value.name: value.type.tensor_type.elem_type for value in values}
        self._constants = {tensor.name: tensor for tensor in graph.initializer}
        types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
        self._types = {name: kind for name, kind in types.items() if kind == SINGLE}
        self._halved: dict[str, TensorProto] = {}
        self._used: set[str] = set()

    def typed(self, node: onnx.NodeProto, single: set[str]) -> Iterable[onnx.NodeProto]:
        """Yield the casts that the node needs, unless they exist already, and then the node."""
        wanted = SINGLE if single.issuperset(node.output) else HALF
        result = onnx.NodeProto()
        result.CopyFrom(node)
        for slot, name in enumerate(node.input):
            if slot and node.op_type in ONE_MAP:
                self._used.add(name)
                continue
            result.input[slot], casts = self._as(name, wanted)
            yield from casts
        for attribute in result.attribute:
            if node.op_type == "Cast" and attribute.i == SINGLE:
                attribute.i = wanted
        self._types |= {name: wanted for name in node.output if name in self._types}
        yield result

    def _as(self, name: str, wanted: int) -> tuple[str, list[onnx.NodeProto]]:
        if self._types.get(name, wanted) == wanted:
            self._used.add(name)
            return name, []
        other = f"{name}/{'half' if wanted == HALF else 'single'}"
        if name in self._constants:
            self._halved[other] = _halved(self._constants[name], other)
            return other, []
        known = other in self._types
        self._types[other] = wanted
        return other, [] if known else [helper.make_node("Cast", [name], [other], other, to=wanted)]

    def constants(self, originals: Iterable[TensorProto]) -> list[TensorProto]:
        """Return the constants that the typed nodes use."""
        used = [tensor for tensor in originals if tensor.name in self._used]
        return [*used, *self._halved.values()]


def _halved(tensor: TensorProto, name: str) -> TensorProto:
    """Round to float16; values beyond its range become its largest value, not infinity."""
    largest = float(np.finfo(np.float16).max)
    values = np.clip(numpy_helper.to_array(tensor), -largest, largest)
    return numpy_helper.from_array(values.astype(np.float16), name)
