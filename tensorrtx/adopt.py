"""ONNX files of other hands, fitted with the inputs and outputs that our own networks have."""

from pathlib import Path

import onnx
from onnx import TensorProto, compose, numpy_helper, version_converter

from tensorrtx import retinaface
from tensorrtx.arcface import MEAN, SIDE, unit
from tensorrtx.errors import WeightsError
from tensorrtx.layers import BATCH, IR_VERSION, OPSET, Graph
from tensorrtx.retinaface import decode
from tensorrtx.retinaface.heads import CENTRE_VARIANCE, SIZE_VARIANCE

Shape = tuple[int | str, ...]
BODY = "body/"


def as_is(path: Path) -> onnx.ModelProto:
    """Read a graph that has our inputs and outputs already: one uint8 input, float32 outputs.

    Raises:
        WeightsError: it is not ONNX, its input is not uint8 (N, ...), or its opset is too old.
    """
    model = _read(path)
    if _opset(model) < OPSET:
        model = _converted(model, path)
    inputs = [(v.name, v.type.tensor_type.elem_type) for v in _inputs(model)]
    if len(inputs) != 1 or inputs[0][1] != TensorProto.UINT8:
        raise WeightsError(f"{path}: expected one uint8 input, found {_shapes(_inputs(model))}")
    return model


def arcface(path: Path, *, scale: float = 127.5) -> onnx.ModelProto:
    """Fit a graph that takes float (N, 3, 112, 112) RGB and gives (N, D).

    Pixels become (x - 127.5) / `scale`; the embedding is L2-normalised. Inputs and outputs are
    those of `arcface.build`.

    Raises:
        WeightsError: it is not ONNX, or has other inputs or outputs.
    """
    body = _body(path, (SIDE, SIDE))
    outputs = list(body.graph.output)
    if len(outputs) != 1 or len(_shape(outputs[0])) != 2:
        raise WeightsError(f"{path}: expected one output (N, D), found {_shapes(outputs)}")
    before, after = Graph(), Graph()
    centred = before.pixels("faces", (MEAN, MEAN, MEAN))
    scaled = before.node("Div", centred, before.numbers(float(scale)))
    source = ("faces", TensorProto.UINT8, (BATCH, SIDE, SIDE, 3))
    head = before.model("pixels", source, {"pixels": (scaled, (BATCH, 3, SIDE, SIDE))})
    dimensions = _shape(outputs[0])[1]
    tail = after.model(
        "unit",
        ("raw", TensorProto.FLOAT, (BATCH, dimensions)),
        {"embedding": (unit(after, "raw"), (BATCH, dimensions))},
    )
    return _join(head, body, tail, {outputs[0].name: "raw"})


def detector(
    path: Path, *, size: tuple[int, int] = (640, 640), candidates: int = 1000
) -> onnx.ModelProto:
    """Fit a RetinaFace in upstream's raw form with decoding and the choice of candidates.

    The file takes float (N, 3, H, W) BGR minus (104, 117, 123) and gives box offsets (N, A, 4),
    softmaxed classes (N, A, 2) and landmark offsets (N, A, 10), in any order, with the anchors of
    `decode.anchors` for `size` (height, width). Inputs and outputs are those of
    `retinaface.build`.

    Raises:
        WeightsError: it is not ONNX, or has other inputs or outputs.
        ValueError: as `retinaface.build`.
    """
    retinaface.check_options(size, candidates)
    body = _body(path, size)
    by_width = {_shape(output)[-1]: output.name for output in body.graph.output}
    if set(by_width) != {4, 2, 10}:
        found = _shapes(list(body.graph.output))
        raise WeightsError(
            f"{path}: expected outputs (N, A, 4), (N, A, 2), (N, A, 10), found {found}"
        )
    before = Graph()
    planes = before.pixels("images", retinaface.MEAN_RGB)
    bgr = before.node("Gather", planes, before.numbers(2, 1, 0), axis=1)
    source = ("images", TensorProto.UINT8, (BATCH, *size, 3))
    head = before.model("pixels", source, {"pixels": (bgr, (BATCH, 3, *size))})
    names = {by_width[4]: "loc", by_width[2]: "conf", by_width[10]: "landms"}
    return _join(head, body, _decoder(size, candidates), names)


def _decoder(size: tuple[int, int], candidates: int) -> onnx.ModelProto:
    anchors = decode.number(*size)
    count = min(candidates, anchors)
    graph = Graph()
    with graph.scope("decode"):
        variances = [CENTRE_VARIANCE] * 2 + [SIZE_VARIANCE] * 2
        loc = graph.node("Mul", "loc", graph.numbers(*variances))
        landms = graph.node("Mul", "landms", graph.numbers(CENTRE_VARIANCE))
        background, face = graph.split(graph.node("Log", "conf"), 1, 1)
        logit = graph.node("Sub", face, background)
        rows = graph.node("Concat", loc, landms, logit, axis=2)
    scores, boxes, landmarks = decode.candidates(graph, rows, decode.constant(graph, *size), count)
    model = graph.model(
        "decode",
        ("loc", TensorProto.FLOAT, (BATCH, anchors, 4)),
        {
            "scores": (scores, (BATCH, count)),
            "boxes": (boxes, (BATCH, count, 4)),
            "landmarks": (landmarks, (BATCH, count, 5, 2)),
        },
    )
    for name, width in (("conf", 2), ("landms", 10)):
        shape = (BATCH, anchors, width)
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model


def _read(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError:
        raise
    except Exception as error:  # protobuf and the checker raise families of their own
        raise WeightsError(f"{path}: not a valid ONNX file") from error
    return model


def _body(path: Path, size: tuple[int, int]) -> onnx.ModelProto:
    """Read a graph with one float image input, brought to our opset, free in its batch."""
    model = _read(path)
    inputs = _inputs(model)
    if len(inputs) != 1 or _clashes(_shape(inputs[0]), (1, 3, *size)):
        found = _shapes(inputs)
        raise WeightsError(
            f"{path}: expected one input (N, 3, {size[0]}, {size[1]}), found {found}"
        )
    model = _converted(model, path)
    _free_batch(model)
    # The converter leaves a shape for each map, all of batch 1.
    del model.graph.value_info[:]
    return compose.add_prefix(model, BODY)


def _opset(model: onnx.ModelProto) -> int:
    return max((each.version for each in model.opset_import if not each.domain), default=OPSET)


def _converted(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """Bring a graph to our opset."""
    try:
        converted = version_converter.convert_version(_without_listed_weights(model), OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise WeightsError(
            f"{path}: cannot be brought from opset {_opset(model)} to {OPSET}; export it at {OPSET}"
        ) from error
    converted.ir_version = IR_VERSION
    return converted


def _without_listed_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Old exporters list weights among the inputs; take those out."""
    kept = _inputs(model)
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def _free_batch(model: onnx.ModelProto) -> None:
    """Let N vary: in the inputs, the outputs, and where a Reshape spells out a batch of 1."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    targets = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in targets:
            _free_target(tensor)
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] in targets:
            _free_target(node.attribute[0].t)


def _free_target(tensor: TensorProto) -> None:
    """Make the shape (1, ...) a copy of the input's batch (0, ...)."""
    shape = numpy_helper.to_array(tensor).copy()
    if shape.size > 1 and shape[0] == 1:
        shape[0] = 0
        tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))


def _join(
    head: onnx.ModelProto, body: onnx.ModelProto, tail: onnx.ModelProto, names: dict[str, str]
) -> onnx.ModelProto:
    """Pixels, the adopted graph, and what makes its outputs ours."""
    source = body.graph.input[0].name
    # Only names inside a graph are prefixed: "images", "scores" and the like are the contract.
    head = compose.add_prefix(head, "pixels/", rename_inputs=False, rename_outputs=False)
    started = compose.merge_models(head, body, [("pixels", source)])
    return compose.merge_models(started, tail, list(names.items()))


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def _shape(value: onnx.ValueInfoProto) -> Shape:
    return tuple(d.dim_value or d.dim_param or "?" for d in value.type.tensor_type.shape.dim)


def _shapes(values: list[onnx.ValueInfoProto]) -> str:
    return ", ".join(f"{value.name} {_shape(value)}" for value in values)


def _clashes(found: Shape, wanted: tuple[int, ...]) -> bool:
    """Whether a shape cannot be `wanted`; what is not fixed can be anything, and so can N."""
    pairs = zip(found[1:], wanted[1:], strict=False)
    return len(found) != len(wanted) or any(isinstance(f, int) and f != w for f, w in pairs)
