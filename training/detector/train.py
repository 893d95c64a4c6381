"""The training of the detector."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import curve, descent, loop
from training.curve import Row
from training.descent import Descent
from training.detector import quarters
from training.detector.loader import Batches, Scenes, loader, normalise
from training.detector.loss import Losses, distillation_losses
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.profiles import in_profile
from training.detector.weights import load_backbone, load_wts, save_wts

HELD_OUT_BATCHES, HELD_OUT_SEED = 4, 1


@dataclass(frozen=True)
class Settings(descent.Settings):
    """Options of a run, see `python -m training.detector train --help`."""

    teacher: Path
    backbone: Path | None
    start: Path | None
    size: int
    features: float


class Training(Descent[RetinaFace]):
    """A student and its teacher."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        teacher = load_wts(settings.teacher)
        student = load_wts(settings.start) if settings.start else RetinaFace()
        if settings.backbone is not None:
            load_backbone(student, settings.backbone)
        super().__init__(student, settings)
        self.teacher = teacher.to(self.device).requires_grad_(False)

    def losses(self, network: RetinaFace, pairs: Tensor, first: int) -> Losses:
        """Return the losses of `network` against the teacher, in bf16 on a GPU.

        pairs: (B, 2, 3, S, S) uint8, see `loader.Scenes`; first: number of the first pair, which
        decides how the pairs are turned, see `quarters`.
        """
        turns = quarters.of_batch(first, len(pairs))
        upright = torch.tensor([not each for each in turns], device=self.device)
        seen, clear = normalise(pairs, self.device).unbind(1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            with torch.no_grad():
                target = quarters.turned_heads(self.teacher(clear), turns, pairs.shape[-1])
            student = network(quarters.turned_images(seen, turns))
            return distillation_losses(student, target, upright)

    def advance(self, pairs: Tensor) -> Losses:
        """Take one step and return its losses."""
        losses = self.losses(self.student, pairs, self.step * self.settings.batch)
        self.descend(losses.total(self.settings.features))
        return losses

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        super().save()
        save_wts(self.settings.out / "student.wts", self.averaged)

    def validate(self, batches: list[Tensor]) -> Row:
        """Return the mean losses of the averaged weights on held-out batches."""
        with torch.no_grad():
            losses = [
                self.losses(self.averaged, pairs, number * self.settings.batch)
                for number, pairs in enumerate(batches)
            ]
        return curve.mean([each.values() for each in losses])


def fit(training: Training, pictures: Pictures) -> None:
    """Train until the schedule ends."""
    settings, (known, unknown) = training.settings, pictures.split()
    held_out = Batches(0, HELD_OUT_BATCHES, settings.batch, settings.size)
    seen = list(loader(scenes(training.teacher, unknown, HELD_OUT_SEED), held_out, 0))
    batches = Batches(training.step, settings.steps, settings.batch, settings.size)
    pairs = loader(scenes(training.teacher, known, settings.seed), batches, settings.workers)
    steps = (training.advance(each).values() for each in pairs)
    loop.fit(training, steps, lambda: training.validate(seen))


def scenes(teacher: RetinaFace, pictures: Pictures, seed: int) -> Scenes:
    """Return the scenes of a series, with profiles by the landmarks of the teacher."""
    return Scenes(pictures, in_profile(teacher, pictures.faces), seed)
