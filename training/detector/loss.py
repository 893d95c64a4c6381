"""Losses of a student against the heads of its teacher, per anchor, and its feature maps."""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from training.detector.network import Output

POSITIVE = 0.3  # lowest score of the teacher for learning boxes and landmarks
UNSURE = 0.02  # lowest score of the teacher for anchors that always count for the class loss
NEGATIVES = 5  # hardest other anchors per positive
FEWEST_NEGATIVES = 64  # per picture, so that pictures without faces count
BETA = 0.2  # quadratic part of smooth-L1, in units of the regression targets


@dataclass(frozen=True)
class Losses:
    """Scalars before weighting."""

    classes: Tensor
    boxes: Tensor
    landmarks: Tensor
    features: Tensor

    def total(self, feature_weight: float) -> Tensor:
        """Return the weighted sum; boxes count double, as in biubug6/Pytorch_Retinaface."""
        heads = self.classes + 2 * self.boxes + self.landmarks
        return heads + feature_weight * self.features

    def values(self) -> dict[str, float]:
        """Return the losses by name, as plain numbers."""
        return {field.name: float(getattr(self, field.name).detach()) for field in fields(self)}


def class_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher || student), (B, A), from logits (B, A, 2) (arXiv 1503.02531)."""
    target = teacher.log_softmax(-1)
    return (target.exp() * (target - student.log_softmax(-1))).sum(-1)


def class_loss(divergence: Tensor, score: Tensor, positives: Tensor) -> Tensor:
    """Return the loss of all unsure anchors and the hardest others (OHEM, arXiv 1604.03540).

    The targets are soft, so mining changes the weight of an anchor but not its optimum.
    """
    unsure = score > UNSURE
    scale = positives.clamp_min(FEWEST_NEGATIVES * len(score) / NEGATIVES)
    rest = divergence.masked_fill(unsure, 0).flatten()
    hardest = rest.topk(min(int(NEGATIVES * scale), rest.numel())).values.sum()
    return (divergence[unsure].sum() + hardest) / scale


def regression_loss(student: Tensor, teacher: Tensor, weight: Tensor, total: Tensor) -> Tensor:
    """Return smooth-L1 (B, A, n), summed over n and averaged with `weight` (B, A)."""
    distance = F.smooth_l1_loss(student, teacher, reduction="none", beta=BETA).sum(-1)
    return (distance * weight).sum() / total


def feature_loss(student: Output, teacher: Output, upright: Tensor) -> Tensor:
    """Return the squared distance of the maps over their mean square (arXiv 1412.6550).

    Only the images that are `upright`, bool (B,), count; without one the loss is 0.
    """
    pairs = zip(student.features, teacher.features, strict=True)
    shared = [(one[upright], other[upright]) for one, other in pairs]
    return torch.stack([_distance(*maps) for maps in shared]).mean()


def _distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the squared distance over the square of `teacher`, and 0 for empty maps."""
    square = teacher.square().sum().clamp_min(torch.finfo(torch.float32).tiny)
    return F.mse_loss(student, teacher, reduction="sum") / square


def distillation_losses(student: Output, teacher: Output, upright: Tensor) -> Losses:
    """Return all four losses of one batch; see `feature_loss` for `upright`."""
    score = teacher.classes.softmax(-1)[..., 1]
    weight = score * (score > POSITIVE)
    total = weight.sum().clamp_min(1)
    divergence = class_divergence(student.classes, teacher.classes)
    return Losses(
        class_loss(divergence, score, total),
        regression_loss(student.boxes, teacher.boxes, weight, total),
        regression_loss(student.landmarks, teacher.landmarks, weight, total),
        feature_loss(student, teacher, upright),
    )
