"""RetinaFace (Deng et al., 2019) as in biubug6/Pytorch_Retinaface and wang-xinyu/tensorrtx."""

from typing import Literal

import onnx
from onnx import TensorProto

from tensorrtx.layers import BATCH, HEIGHT, Graph
from tensorrtx.retinaface import decode, heads, mobilenet025, neck, resnet50
from tensorrtx.retinaface.layers import Layers
from tensorrtx.weights import Weights

Backbone = Literal["mnet025", "r50"]
MEAN_RGB = (123.0, 117.0, 104.0)
STEP = 32  # the coarsest map's stride
CANDIDATES_LIMIT = 3840  # of TensorRT's TopK
# Layers of the backbone's classifier.
UNUSED = ("fc.", "body.fc.", "body.avg.")


def build(
    weights: Weights,
    backbone: Backbone,
    size: tuple[int, int] = (640, 640),
    raw: bool = False,
    candidates: int = 1000,
    *,
    free_height: bool = False,
) -> onnx.ModelProto:
    """Return the network for images of ``size`` (height, width) and any batch N.

    Deployed: ``images`` uint8 (N, H, W, 3) RGB -> the K best of all anchors, best first, float32:

    - ``scores`` (N, K) in [0, 1];
    - ``boxes`` (N, K, 4): x1 y1 x2 y2 in pixels, not clipped;
    - ``landmarks`` (N, K, 5, 2): x y in pixels of left eye, right eye, nose, left and right corner
      of the mouth (left in the picture).

    K is ``candidates``, or the number of anchors if that is less. With ``free_height``, H is any of
    ``heights``, the same for all images of a batch.
    Raw: ``input`` float32 (N, 3, H, W) BGR minus (104, 117, 123) -> ``loc`` (N, A, 4), ``conf``
    (N, A, 2) after softmax and ``landms`` (N, A, 10) of all A anchors, as upstream.

    Raises:
        WeightsError: a tensor is missing, has another shape, or has no place in the network.
        ValueError: the size is not made of positive multiples of 32, or ``candidates`` is not in
            1..3840.
    """
    check_options(size, candidates)
    layers = Layers(Graph(), weights)
    if raw:
        model = _raw(layers, backbone, size)
    else:
        model = _deployed(layers, backbone, size, candidates, free_height)
    weights.finish(UNUSED)
    return model


def heights(size: tuple[int, int] = (640, 640), candidates: int = 1000) -> tuple[int, ...]:
    """Heights that images may have with ``free_height``, rising; the last is that of ``size``.

    They are the multiples of the coarsest stride with at least as many anchors as candidates.
    """
    full, width = size
    chosen = min(candidates, decode.number(full, width))
    lower = (h for h in range(STEP, full, STEP) if decode.number(h, width) >= chosen)
    return (*lower, full)


def check_options(size: tuple[int, int], candidates: int) -> None:
    """Raise the ValueError that ``build`` documents."""
    if any(side < STEP or side % STEP for side in size):
        raise ValueError(f"size {size}: height and width must be positive multiples of 32")
    if not 1 <= candidates <= CANDIDATES_LIMIT:
        raise ValueError(f"candidates {candidates}: must be in 1..{CANDIDATES_LIMIT}")


def _rows(layers: Layers, backbone: Backbone, x: str, raw: bool) -> str:
    body, width = {"mnet025": (mobilenet025, 64), "r50": (resnet50, 256)}[backbone]
    maps = neck.pyramid(layers, body.features(layers, x, not raw), body.CHANNELS, width)
    maps = [neck.context(layers, x, f"ssh{n}", width) for n, x in enumerate(maps, 1)]
    return heads.rows(layers, maps, width, raw)


def _raw(layers: Layers, backbone: Backbone, size: tuple[int, int]) -> onnx.ModelProto:
    graph, count = layers.graph, decode.number(*size)
    loc, landms, logits = graph.split(_rows(layers, backbone, "input", raw=True), 4, 10, 2)
    return graph.model(
        f"retinaface_{backbone}_raw",
        ("input", TensorProto.FLOAT, (BATCH, 3, *size)),
        {
            "loc": (loc, (BATCH, count, 4)),
            "conf": (graph.node("Softmax", logits, axis=2), (BATCH, count, 2)),
            "landms": (landms, (BATCH, count, 10)),
        },
    )


def _deployed(
    layers: Layers, backbone: Backbone, size: tuple[int, int], candidates: int, free_height: bool
) -> onnx.ModelProto:
    count = min(candidates, decode.number(*size))
    rows = _rows(layers, backbone, layers.graph.pixels("images", MEAN_RGB), raw=False)
    if free_height:
        priors = decode.present(layers.graph, "images", *size)
    else:
        priors = decode.constant(layers.graph, *size)
    scores, boxes, landmarks = decode.candidates(layers.graph, rows, priors, count)
    height = HEIGHT if free_height else size[0]
    return layers.graph.model(
        f"retinaface_{backbone}",
        ("images", TensorProto.UINT8, (BATCH, height, size[1], 3)),
        {
            "scores": (scores, (BATCH, count)),
            "boxes": (boxes, (BATCH, count, 4)),
            "landmarks": (landmarks, (BATCH, count, 5, 2)),
        },
    )
