"""Inputs and outputs of a network for each task; graphs with others are not compiled."""

from collections.abc import Iterable, Mapping

import onnx
from onnx import TensorProto, helper

from engines.catalog import ModelSpec, Task
from engines.errors import EngineError

# Size of each axis, or None if it is dynamic.
Shape = tuple[int | None, ...]
Values = Iterable[onnx.ValueInfoProto]
PURPOSE: Mapping[Task, str] = {
    "detector": "find faces",
    "landmarks": "place landmarks",
    "emotion": "read emotions",
    "embedder": "embed faces",
}


def outputs(spec: ModelSpec) -> dict[str, Shape]:
    """Shapes of the float32 outputs of this task by name; the first axis is the batch."""
    match spec.task:
        case "detector":
            free: Shape = (None, None)
            return {"scores": free, "boxes": (*free, 4), "landmarks": (*free, 5, 2)}
        case "landmarks":
            return {"offsets": (None, 5, 2)}
        case "emotion":
            return {"scores": (None, len(spec.labels))}
        case "embedder":
            return {"embedding": (None, None)}


def fitted(model: onnx.ModelProto, spec: ModelSpec) -> onnx.ModelProto:
    """Check the graph and return it with the output name of its task.

    If a graph has only one output, the output may have any name.

    Raises:
        EngineError: the inputs or outputs are not those of the task.
    """
    source = {spec.input_name: (None, *spec.input_shape)}
    wanted = outputs(spec)
    named = _renamed(model, *wanted) if len(wanted) == len(model.graph.output) == 1 else model
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    free = all(_shape(value)[:1] in {(), (None,)} for value in inputs)
    takes = free and len(inputs) == 1 and _have(inputs, source, TensorProto.UINT8)
    if not (takes and _have(named.graph.output, wanted, TensorProto.FLOAT)):
        raise EngineError(
            f"{spec.name} does not {PURPOSE[spec.task]}: expected uint8 {_text(source)} to float32 "
            f"{_text(wanted)}, found {_found(inputs)} to {_found(model.graph.output)}; change the "
            "weights, labels or options of its catalog entry, or name another entry by "
            f"EMOTIONS_{spec.task.upper()}"
        )
    return named


def _renamed(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Rename the only output, unless another value has this name already."""
    if any(name in node.output for node in model.graph.node):
        return model
    (before,) = (value.name for value in model.graph.output)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.graph.node.append(helper.make_node("Identity", [before], [name], f"rename/{name}"))
    changed.graph.output[0].name = name
    return changed


def _have(values: Values, wanted: Mapping[str, Shape], kind: int) -> bool:
    """Whether the values include all of `wanted` with their shapes and this type."""
    found = {value.name: value for value in values}
    return all(
        name in found
        and found[name].type.tensor_type.elem_type == kind
        and _fits(_shape(found[name]), shape)
        for name, shape in wanted.items()
    )


def _fits(found: Shape, wanted: Shape) -> bool:
    """Whether a shape can be the wanted one; a dynamic axis fits any size."""
    if not found:
        return True
    pairs = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(side.dim_value or None for side in value.type.tensor_type.shape.dim)


def _found(values: Values) -> str:
    return ", ".join(
        f"{helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)} "
        f"{_text({value.name: _shape(value)})}"
        for value in values
    )


def _text(shapes: Mapping[str, Shape]) -> str:
    """Format as `faces (*, 64, 64, 3)`, where `*` is a dynamic axis."""
    return ", ".join(
        f"{name} ({', '.join(str(side or '*') for side in shape)})"
        for name, shape in shapes.items()
    )
