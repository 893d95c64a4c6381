"""ONNX files from elsewhere, with the inputs and outputs of our own networks."""

from pathlib import Path

import onnx
from onnx import TensorProto, compose

from tensorrtx import retinaface
from tensorrtx.arcface import MEAN, SIDE, unit
from tensorrtx.errors import WeightsError
from tensorrtx.layers import BATCH, OPSET, Graph
from tensorrtx.onnx_file import body as read_body
from tensorrtx.onnx_file import converted, inputs, opset, read, shape, shapes
from tensorrtx.retinaface import decode
from tensorrtx.retinaface.heads import CENTRE_VARIANCE, SIZE_VARIANCE


def as_is(path: Path) -> onnx.ModelProto:
    """Read a graph that already has our inputs and outputs: one uint8 input, float32 outputs.

    Raises:
        WeightsError: it is not ONNX, its input is not one uint8 array, or its opset is too old.
    """
    model = read(path)
    if opset(model) < OPSET:
        model = converted(model, path)
    found = inputs(model)
    if len(found) != 1 or found[0].type.tensor_type.elem_type != TensorProto.UINT8:
        raise WeightsError(f"{path}: expected one uint8 input, found {shapes(found)}")
    return model


def arcface(path: Path, *, scale: float = 127.5) -> onnx.ModelProto:
    """Adapt a graph from float (N, 3, 112, 112) RGB to embeddings (N, D).

    Pixels become (x - 127.5) / `scale`; the embedding is L2-normalised. Inputs and outputs are
    those of `arcface.build`.

    Raises:
        WeightsError: it is not ONNX, or has other inputs or outputs.
    """
    body = read_body(path, (SIDE, SIDE))
    outputs = list(body.graph.output)
    if len(outputs) != 1 or len(shape(outputs[0])) != 2:
        raise WeightsError(f"{path}: expected one output (N, D), found {shapes(outputs)}")
    before, after = Graph(), Graph()
    centred = before.pixels("faces", (MEAN, MEAN, MEAN))
    scaled = before.node("Div", centred, before.numbers(float(scale)))
    source = ("faces", TensorProto.UINT8, (BATCH, SIDE, SIDE, 3))
    head = before.model("pixels", source, {"pixels": (scaled, (BATCH, 3, SIDE, SIDE))})
    dimensions = shape(outputs[0])[1]
    tail = after.model(
        "unit",
        ("raw", TensorProto.FLOAT, (BATCH, dimensions)),
        {"embedding": (unit(after, "raw"), (BATCH, dimensions))},
    )
    return join(head, body, tail, {outputs[0].name: "raw"})


def detector(
    path: Path, *, size: tuple[int, int] = (640, 640), candidates: int = 1000
) -> onnx.ModelProto:
    """Add decoding and the selection of candidates to a RetinaFace in upstream's raw form.

    The file takes float (N, 3, H, W) BGR minus (104, 117, 123). It gives box offsets (N, A, 4),
    classes after softmax (N, A, 2) and landmark offsets (N, A, 10), in any order, for the anchors
    of `decode.anchors` at `size` (height, width). Inputs and outputs are those of
    `retinaface.build`.

    Raises:
        WeightsError: it is not ONNX, or has other inputs or outputs.
        ValueError: as `retinaface.build`.
    """
    retinaface.check_options(size, candidates)
    body = read_body(path, size)
    by_width = {shape(output)[-1]: output.name for output in body.graph.output}
    if set(by_width) != {4, 2, 10}:
        found = shapes(list(body.graph.output))
        raise WeightsError(
            f"{path}: expected outputs (N, A, 4), (N, A, 2), (N, A, 10), found {found}"
        )
    before = Graph()
    planes = before.pixels("images", retinaface.MEAN_RGB)
    bgr = before.node("Gather", planes, before.numbers(2, 1, 0), axis=1)
    source = ("images", TensorProto.UINT8, (BATCH, *size, 3))
    head = before.model("pixels", source, {"pixels": (bgr, (BATCH, 3, *size))})
    names = {by_width[4]: "loc", by_width[2]: "conf", by_width[10]: "landms"}
    return join(head, body, _decoder(size, candidates), names)


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
        axes = (BATCH, anchors, width)
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, axes))
    return model


def join(
    head: onnx.ModelProto, body: onnx.ModelProto, tail: onnx.ModelProto, names: dict[str, str]
) -> onnx.ModelProto:
    """Chain the preparation of pixels, the adopted graph, and the change of its outputs to ours.

    `names` maps outputs of `body` to inputs of `tail`. All three have the same opset.
    """
    source = body.graph.input[0].name
    # Prefix inner names only: inputs and outputs ("images", "scores") keep their names.
    head = compose.add_prefix(head, "pixels/", rename_inputs=False, rename_outputs=False)
    started = compose.merge_models(head, body, [("pixels", source)])
    return compose.merge_models(started, tail, list(names.items()))
