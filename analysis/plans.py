"""The plans of the networks of an analysis, and the rules for every image.

All of these types can be sent to another process.
"""

from pathlib import Path

import msgspec

from analysis.close_up import CloseUps
from analysis.decode import ImageLimits
from engines.catalog import ModelSpec


class ModelPlan(msgspec.Struct, frozen=True):
    """A network to open: its plan file, its catalog entry, and its largest batch in rows."""

    path: Path
    spec: ModelSpec
    batch: int


class Rules(msgspec.Struct, frozen=True):
    """The rules for every image.

    limits: the most that one image may cost; size: the detector's input (height, width) in pixels;
    nms_iou: the overlap above which two boxes are one face, 0 to 1; close_ups: when to detect
    close-ups in a second pass; heights: input heights that the detector also accepts, rising.
    """

    limits: ImageLimits
    size: tuple[int, int]
    nms_iou: float
    close_ups: CloseUps = "auto"
    heights: tuple[int, ...] = ()


class ModelPlans(msgspec.Struct, frozen=True):
    """The plans of all networks of an analysis, and its rules."""

    detector: ModelPlan
    emotion: ModelPlan
    rules: Rules
    landmarks: ModelPlan | None = None
    embedder: ModelPlan | None = None

    @property
    def all(self) -> dict[str, ModelPlan]:
        """The plans that are in use, by task."""
        found = (self.detector, self.landmarks, self.emotion, self.embedder)
        return {plan.spec.task: plan for plan in found if plan is not None}
