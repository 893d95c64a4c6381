"""Measure a trained run on a split: the Keras model, before export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.evaluation.accuracy import (
    accuracy,
    calibration_error,
    confusion,
    f1_scores,
    negative_log_likelihood,
    softmax,
    subset_accuracy,
)
from analysis.evaluation.fer2013 import Split, read_split
from training.emotion.checkpoint import load_run
from training.emotion.predict import predict
from training.emotion.temperature import fit_temperature, held_out_calibration_error
from training.emotion.votes import vote_distribution

THREE = ("happy", "neutral", "sad")


def evaluate(run: Path, data: Path, split: str = "public", weights: str = "best") -> dict[str, Any]:
    """Return the figures of a run on a split, by name.

    The parts of FER-2013 share images: ``accuracy_unseen`` leaves out those that are also in the
    training part, pixel for pixel.
    """
    model, faces = load_run(run, weights), read_split(data, split)
    logits = predict(model, faces.faces)
    mirrored = predict(model, np.ascontiguousarray(faces.faces[:, :, ::-1]))
    unseen = ~repeated(faces.faces, read_split(data, "train").faces)
    return figures(logits, faces) | {
        "accuracy_with_mirror": accuracy(softmax(logits) + softmax(mirrored), faces.labels),
        "images_unseen": int(unseen.sum()),
        "accuracy_unseen": accuracy(softmax(logits[unseen]), faces.labels[unseen]),
    }


def repeated(faces: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which of ``faces`` (N, H, W) equal one of ``others``, bool (N,)."""
    known = {other.tobytes() for other in others}
    return np.array([face.tobytes() in known for face in faces])


def figures(logits: npt.NDArray[np.floating], split: Split) -> dict[str, Any]:
    """Return accuracy, F1, the three-class view and calibration of logits (N, 7)."""
    probabilities, labels = softmax(logits), split.labels
    temperature = fit_temperature(logits, labels)
    matrix = confusion(probabilities, labels)
    return {
        "images": len(labels),
        "accuracy": accuracy(probabilities, labels),
        "accuracy_happy_neutral_sad": subset_accuracy(probabilities, labels, THREE),
        "f1": f1_scores(matrix),
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": calibration_error(probabilities, labels),
        "temperature": temperature,
        "ece_with_temperature": calibration_error(softmax(logits / temperature), labels),
        "ece_with_temperature_held_out": held_out_calibration_error(logits, labels),
        "confusion": matrix.tolist(),
    } | ({} if split.votes is None else _against_votes(probabilities, split.votes))


def _against_votes(
    probabilities: npt.NDArray[np.float64], votes: npt.NDArray[np.integer]
) -> dict[str, Any]:
    distribution = vote_distribution(votes)
    voted = distribution.sum(1) > 0
    majority = distribution[voted].argmax(1)
    return {
        "images_with_votes": int(voted.sum()),
        "accuracy_ferplus_majority": accuracy(probabilities[voted], majority),
    }
