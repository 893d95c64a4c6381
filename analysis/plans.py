"""The plans of the networks of an analysis, and the rules for every image.

All of these types can be sent to another process.
"""

from pathlib import Path

import msgspec

from analysis.close_up import CloseUps
from analysis.limits import ImageLimits
from analysis.types import DetectorInput
from engines.catalog import ModelSpec


class ModelPlan(msgspec.Struct, frozen=True):
    """A network to open: its plan file, its catalog entry, and its largest batch in rows."""

    path: Path
    spec: ModelSpec
    batch: int


class Rules(msgspec.Struct, frozen=True):
    """The rules for every image.

    limits: the most that one image may cost; inputs: those of the detector, smallest first;
    nms_iou: the overlap above which two boxes are one face, 0 to 1; close_ups: when to detect
    close-ups in a second pass; max_tiles: the most tiles per image.
    """

    limits: ImageLimits
    inputs: tuple[DetectorInput, ...]
    nms_iou: float
    close_ups: CloseUps = "auto"
    max_tiles: int = 16


class ModelPlans(msgspec.Struct, frozen=True):
    """The plans of all networks of an analysis, and its rules.

    `larger` are the detector with larger inputs, in the order of `Rules.inputs`.
    """

    detector: ModelPlan
    emotion: ModelPlan
    rules: Rules
    landmarks: ModelPlan | None = None
    embedder: ModelPlan | None = None
    larger: tuple[ModelPlan, ...] = ()

    @property
    def all(self) -> dict[str, ModelPlan]:
        """The plans that are in use, by network: a task, or `detector-960` for a larger input."""
        others = (self.landmarks, self.emotion, self.embedder)
        return {
            "detector": self.detector,
            **{f"detector-{_size(plan.spec)}": plan for plan in self.larger},
            **{str(plan.spec.task): plan for plan in others if plan is not None},
        }

    @property
    def of_engine(self) -> dict[str, ModelPlan]:
        """The plans of `all` that the engine opens; libraries run the others in each worker."""
        return {name: plan for name, plan in self.all.items() if not plan.spec.library}


def _size(spec: ModelSpec) -> str:
    height, width = spec.input_size
    return str(width) if width == height else f"{width}x{height}"
