"""The detector as the service runs it: its graph in ONNX Runtime, with `analysis.detection`."""

from collections.abc import Callable
from pathlib import Path

import tensorrtx
from analysis.detection import Letterbox, Row, select
from analysis.types import Detections
from engines.backends.onnxruntime import session
from engines.graph.prelu import unrolled
from engines.types import U8
from tensorrtx import retinaface
from training.geometry import letterbox

SIDE = 640  # of the detector's input, in pixels
SCORE, IOU, MOST = 0.5, 0.4, 100  # the service's defaults
Detector = Callable[[U8], Row]


def detector_of(weights: Path, side: int = SIDE) -> Detector:
    """Open a `.wts` file for inputs of `side` x `side` pixels and of the lower heights.

    Returns a function from one input (h, side, 3), uint8 RGB, to its candidates.
    """
    model = tensorrtx.export("retinaface-mnet025", weights, size=(side, side), free_height=True)
    opened = session(unrolled(model).SerializeToString())
    names = [output.name for output in opened.get_outputs()]

    def run(canvas: U8) -> Row:
        rows = opened.run(names, {"images": canvas[None]})
        return {name: row[0] for name, row in zip(names, rows, strict=True)}

    return run


def heights_of(side: int = SIDE) -> tuple[int, ...]:
    """Return the heights of the inputs that are `side` pixels wide, rising."""
    return retinaface.heights((side, side))


def faces_in(
    detector: Detector,
    image: U8,
    side: int = SIDE,
    *,
    padded: bool = False,
    score: float = SCORE,
) -> Detections:
    """Detect the faces of an RGB image (h, w, 3), in its pixels.

    padded: pad the image to a square input, as on a GPU.
    """
    heights = () if padded else heights_of(side)
    canvas, box = letterbox(image, (side, side), heights)
    return selected(detector(canvas), box, score)


def selected(row: Row, box: Letterbox, score: float = SCORE) -> Detections:
    """Turn the candidates of one input into faces, in pixels of the image in `box`."""
    return select(row, box, min_score=score, nms_iou=IOU, max_faces=MOST)
