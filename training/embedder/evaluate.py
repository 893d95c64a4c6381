"""Similarity of a student and its teacher, and how well both distinguish people."""

import numpy as np
import torch

from engines.types import F64, U8
from training.detector.degrade import degrade
from training.embedder.augment import middle, normalised, tiny
from training.embedder.faces import Faces
from training.embedder.network import MobileFaceNet
from training.embedder.pairs import grouping, verification

SEED = 2  # of the degradation
BATCH = 32


def evaluate(student: MobileFaceNet, teacher: MobileFaceNet, faces: Faces) -> dict[str, object]:
    """Return figures for the held-out people."""
    held_out = faces.split()[1]
    crops = middle(held_out.images)
    people = held_out.people
    ours, theirs = embed(student, crops), embed(teacher, crops)
    similarity = {"clean": _similarity(ours, theirs)}
    for name, degraded in (("degraded", _degraded(crops)), ("tiny", _tiny(crops))):
        similarity[name] = _similarity(embed(student, degraded), embed(teacher, degraded))
    return {
        "faces": len(crops),
        "people": len(set(people)),
        "crowd": grouping(ours, people),
        "cosine_to_teacher": similarity,
        "student": verification(ours, people),
        "teacher": verification(theirs, people),
    }


def embed(network: MobileFaceNet, crops: U8) -> F64:
    """Return embeddings of length 1, (N, 128): face plus mirror image, as in the service."""
    device = next(network.parameters()).device
    with torch.no_grad():
        parts = [part.to(device) for part in normalised(crops).split(BATCH)]
        rows = [(network(part) + network(part.flip(3))).cpu() for part in parts]
    embeddings = torch.cat(rows).double().numpy()
    return np.asarray(embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True), np.float64)


def _similarity(ours: F64, theirs: F64) -> dict[str, float]:
    cosines = (ours * theirs).sum(1)
    return {
        "mean": float(cosines.mean()),
        "p5": float(np.quantile(cosines, 0.05)),
        "least": float(cosines.min()),
    }


def _degraded(crops: U8) -> U8:
    rng = np.random.default_rng(SEED)
    return np.stack([degrade(crop, rng) for crop in crops])


def _tiny(crops: U8) -> U8:
    rng = np.random.default_rng(SEED)
    return np.stack([tiny(crop, rng) for crop in crops])
