"""Accuracy of the emotion network that the settings name, on labelled faces."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.evaluation import accuracy
from analysis.evaluation.fer2013 import LABELS, Split
from engines.errors import EngineError
from engines.types import F64
from service.factory import find_models
from service.settings import Settings

THREE = ("happy", "neutral", "sad")


def probabilities(settings: Settings, split: Split) -> F64:
    """Run the faces of a split through the service's plan; return (N, 7), each row sums to one.

    Raises:
        EngineError: there is no plan, or the network has other classes than FER-2013.
    """
    models = find_models(settings)
    spec = models.emotion.spec
    if set(spec.labels) != set(LABELS):
        raise EngineError(f"{spec.name} has other classes than {', '.join(LABELS)}")
    with models.engine.open(models.emotion.plan, spec) as runner:
        scores = runner.infer({"faces": split.faces})["scores"]
    return np.asarray(scores[:, [spec.labels.index(label) for label in LABELS]], np.float64)


def figures(scores: F64, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return accuracy, F1 per class, accuracy on three classes, and calibration, by name."""
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


def write_predictions(scores: F64, out: Path) -> None:
    """Write one class index per line (angry 0 ... neutral 6), in the order of the faces."""
    out.write_text("".join(f"{index}\n" for index in scores.argmax(axis=1)))
