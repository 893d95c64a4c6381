"""How good is the emotion engine that serves? Figures on a labelled set of faces."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from analysis.evaluation import accuracy
from analysis.evaluation.fer2013 import LABELS, Split
from engines.errors import EngineError
from service.factory import find_models
from service.settings import Settings

THREE = ("happy", "neutral", "sad")
CELL, MARGIN = 64, 96


def probabilities(settings: Settings, split: Split) -> NDArray[np.float64]:
    """Run the faces of a split through the plan that serves: (N, 7), rows that sum to one.

    Raises:
        EngineError: no plan is in place, or the network has other classes than FER-2013.
    """
    models = find_models(settings)
    spec = models.emotion.spec
    if set(spec.labels) != set(LABELS):
        raise EngineError(f"{spec.name} has other classes than {', '.join(LABELS)}")
    with models.engine.open(models.emotion.plan, spec) as runner:
        scores = runner.infer({"faces": split.faces})["scores"]
    return np.asarray(scores[:, [spec.labels.index(label) for label in LABELS]], np.float64)


def figures(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy, F1 by class, the three-class view and calibration; the keys say what they are."""
    matrix = accuracy.confusion(scores, labels)
    f1 = accuracy.f1_scores(matrix)
    return {
        "faces": len(labels),
        "accuracy": accuracy.accuracy(scores, labels),
        "f1": f1,
        "f1_mean": float(np.mean(list(f1.values()))),
        "accuracy_happy_neutral_sad": accuracy.subset_accuracy(scores, labels, THREE),
        "negative_log_likelihood": accuracy.negative_log_likelihood(scores, labels),
        "calibration_error": accuracy.calibration_error(scores, labels),
        "confusion": matrix.tolist(),
    }


def write_predictions(scores: NDArray[np.float64], out: Path) -> None:
    """One class index a line (angry 0 ... neutral 6), in the order of the file."""
    out.write_text("".join(f"{index}\n" for index in scores.argmax(axis=1)))


def draw_confusion(matrix: list[list[int]], out: Path) -> None:
    """Draw counts as shares of each label's faces: rows are labels, columns predictions."""
    counts = np.array(matrix, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = MARGIN + CELL * len(LABELS)
    image = Image.new("RGB", (side, side), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(14)
    for row, label in enumerate(LABELS):
        middle = MARGIN + CELL * row + CELL // 2
        draw.text((MARGIN - 8, middle), label, "black", font, anchor="rm")
        draw.text((middle, MARGIN - 8), label, "black", font, anchor="ms")
        for column in range(len(LABELS)):
            _cell(draw, font, row, column, float(shares[row, column]))
    image.save(out)


def _cell(draw: ImageDraw.ImageDraw, font: Any, row: int, column: int, share: float) -> None:
    x, y = MARGIN + CELL * column, MARGIN + CELL * row
    shade = round(255 * (1 - share))
    draw.rectangle((x, y, x + CELL - 2, y + CELL - 2), (shade, shade, 255))
    ink = "white" if share > 0.5 else "black"
    draw.text((x + CELL // 2, y + CELL // 2), f"{share:.0%}", ink, font, anchor="mm")
