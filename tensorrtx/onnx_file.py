"""ONNX files from elsewhere, read and converted to our opset and a dynamic batch."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, compose, external_data_helper, numpy_helper, version_converter

from tensorrtx.errors import WeightsError
from tensorrtx.layers import BATCH, IR_VERSION, OPSET

Shape = tuple[int | str, ...]
BODY = "body/"


def read(path: Path) -> onnx.ModelProto:
    """Read a file.

    Raises:
        WeightsError: it is not valid ONNX, or its weights are in another file.
        OSError: it cannot be read.
    """
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        if any(map(external_data_helper.uses_external_data, _tensors(model.graph))):
            raise WeightsError(
                f"{path} keeps its weights in another file; write one file: "
                "torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(FILE), NEW)"
            )
        onnx.checker.check_model(model)
    except (OSError, WeightsError):
        raise
    except Exception as error:  # protobuf's and the checker's errors have no common base class
        raise WeightsError(f"{path}: not a valid ONNX file") from error
    return model


def body(path: Path, size: tuple[int, int]) -> onnx.ModelProto:
    """Read a graph of images (height, width), convert it to our opset, and free its batch.

    Raises:
        WeightsError: it is not ONNX, or its input is not one float array (N, 3, height, width).
    """
    model = read(path)
    found = inputs(model)
    if len(found) != 1 or _clashes(shape(found[0]), (1, 3, *size)):
        raise WeightsError(
            f"{path}: expected one input (N, 3, {size[0]}, {size[1]}), found {shapes(found)}"
        )
    return freed(converted(model, path))


def freed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph whose batch is dynamic and whose names begin with `BODY`.

    A graph that was written for a batch of one runs with any batch after that, unless it has the
    one in other places than `Reshape`.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    _free_batch(_without_listed_weights(changed))
    # The shapes of the maps have the old batch.
    del changed.graph.value_info[:]
    return compose.add_prefix(changed, BODY)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs in their attributes."""
    for each in _graphs(graph):
        yield from each.node


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    for each in _graphs(graph):
        yield from each.initializer
        for node in each.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def opset(model: onnx.ModelProto) -> int:
    """The version of the operators; ours if the graph names none."""
    return max((each.version for each in model.opset_import if not each.domain), default=OPSET)


def converted(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Convert a graph to our opset.

    Raises:
        WeightsError: its opset is too old.
    """
    try:
        changed = version_converter.convert_version(_without_listed_weights(model), OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise WeightsError(
            f"{path}: cannot be brought from opset {opset(model)} to {OPSET}; export it at {OPSET}"
        ) from error
    changed.ir_version = IR_VERSION
    return changed


def _without_listed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove weights from the inputs; old exporters list them there."""
    images = inputs(model)
    del model.graph.input[:]
    model.graph.input.extend(images)
    return model


def _free_batch(model: onnx.ModelProto) -> None:
    """Make the batch dynamic: in inputs, outputs, and the shapes of Reshape nodes."""
    for value in (*model.graph.input, *model.graph.output):
        for first in value.type.tensor_type.shape.dim[:1]:
            first.dim_param = BATCH
    reshapes = [node for node in model.graph.node if node.op_type == "Reshape"]
    targets = {node.input[1] for node in reshapes}
    for node in reshapes:
        for attribute in node.attribute:
            if attribute.name == "allowzero":  # PyTorch's exporter sets it
                attribute.i = 0
    for tensor in model.graph.initializer:
        if tensor.name in targets:
            _free_target(tensor)
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] in targets:
            _free_target(node.attribute[0].t)


def _free_target(tensor: TensorProto) -> None:
    """Change the shape (1, ...) to (0, ...), which copies the batch of the input."""
    target = numpy_helper.to_array(tensor).copy()
    if target.size > 1 and target[0] == 1:
        target[0] = 0
        tensor.CopyFrom(numpy_helper.from_array(target, tensor.name))


def inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs that are not weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def shape(value: onnx.ValueInfoProto) -> Shape:
    """The size or the name of each axis."""
    return tuple(d.dim_value or d.dim_param or "?" for d in value.type.tensor_type.shape.dim)


def shapes(values: list[onnx.ValueInfoProto]) -> str:
    """Names and shapes for an error message."""
    return ", ".join(f"{value.name} {shape(value)}" for value in values)


def _clashes(found: Shape, wanted: tuple[int, ...]) -> bool:
    """Whether a shape differs from `wanted`; a free axis and the batch fit any size."""
    pairs = zip(found[1:], wanted[1:], strict=False)
    return len(found) != len(wanted) or any(isinstance(f, int) and f != w for f, w in pairs)
