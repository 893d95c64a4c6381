"""The training of the detector."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import curve, descent, loop
from training.curve import Row
from training.descent import Descent
from training.detector.loader import Batches, Scenes, loader, normalise
from training.detector.loss import Losses, distillation_losses
from training.detector.network import RetinaFace
from training.detector.pictures import Pictures
from training.detector.weights import load_backbone, load_wts, save_wts


@dataclass(frozen=True)
class Settings(descent.Settings):
    """Options of a run, see `python -m training.detector train --help`."""

    teacher: Path
    backbone: Path | None
    size: int
    features: float


class Training(Descent[RetinaFace]):
    """A student and its teacher."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        teacher, student = load_wts(settings.teacher), RetinaFace()
        if settings.backbone is not None:
            load_backbone(student, settings.backbone)
        super().__init__(student, settings)
        self.teacher = teacher.to(self.device).requires_grad_(False)

    def losses(self, network: RetinaFace, images: Tensor) -> Losses:
        """Return the losses of `network` against the teacher, in bf16 on a GPU."""
        batch = normalise(images, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            with torch.no_grad():
                target = self.teacher(batch)
            return distillation_losses(network(batch), target)

    def advance(self, images: Tensor) -> Losses:
        """Take one step and return its losses."""
        losses = self.losses(self.student, images)
        self.descend(losses.total(self.settings.features))
        return losses

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        super().save()
        save_wts(self.settings.out / "student.wts", self.averaged)

    def validate(self, batches: list[Tensor]) -> Row:
        """Return the mean losses of the averaged weights on held-out batches."""
        with torch.no_grad():
            return curve.mean([self.losses(self.averaged, images).values() for images in batches])


def fit(training: Training, pictures: Pictures) -> None:
    """Train until the schedule ends."""
    settings = training.settings
    known, unknown = pictures.split()
    held_out = list(loader(Scenes(unknown, 1), Batches(0, 4, settings.batch, settings.size), 0))
    batches = Batches(training.step, settings.steps, settings.batch, settings.size)
    scenes = loader(Scenes(known, settings.seed), batches, settings.workers)
    steps = (training.advance(images).values() for images in scenes)
    loop.fit(training, steps, lambda: training.validate(held_out))
