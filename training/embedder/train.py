"""The training loop: first every block alone, then all blocks together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pytorch_optimizer.optimizer.soap import SOAP  # type: ignore[import-not-found]
from torch import Tensor

from training import loop
from training.curve import Row
from training.embedder.augment import Views, batches, middle, normalised
from training.embedder.faces import Faces
from training.embedder.loss import cosine, distance, losses, spread, total
from training.embedder.network import MobileFaceNet
from training.embedder.pool import Pool
from training.embedder.start import start
from training.embedder.weights import load_wts, save_wts
from training.schedule import Clock, learning_rate

LEAST_RATE = 0.01  # share of the peak rate at the end of a phase
# Rate of the first kernel, relative to the others: whitened pixels make its weights large, and a
# small change of them has a large effect.
CAUTION = 0.1
OF_VECTORS = 0.25  # unit of the rate for biases and slopes
# The distance of each block is a running mean; larger distances than WORST count as WORST.
MEMORY, WORST = 0.9, 1.0
LATE, LATE_POOL = 12, 8192  # index of the last block with stride 2; images whose maps are kept
HELD_OUT = 64  # faces for the curve


@dataclass(frozen=True)
class Settings(loop.Settings):
    """Options of a run, see `python -m training.embedder train --help`."""

    teacher: Path
    apart: float
    blocks: int
    pool: int
    late: int
    reuse: int
    fine_rate: float
    hints: float


class Training:
    """A student, its teacher, recent maps of the teacher, and the optimiser."""

    def __init__(self, settings: Settings, faces: Faces) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.step, self.joined, self.rate = settings, 0, 0, 0.0
        self.device = torch.device(settings.device)
        known, unknown = faces.split()
        self.views = Views(known.images, settings.seed)
        self.teacher = load_wts(settings.teacher).to(self.device).requires_grad_(False)
        held_out = middle(unknown.images[:: max(1, len(unknown.images) // HELD_OUT)])
        self.held_out = normalised(held_out)
        with torch.no_grad():
            self.wanted = self.teacher(self.held_out.to(self.device))
        self.student = MobileFaceNet().to(self.device)
        self.optimiser = optimiser(self.student)
        self.pool = Pool(settings.pool)
        self.late = Pool(LATE_POOL)
        self.distances = torch.ones(len(self.student.blocks))

    def begin(self) -> None:
        """Fill the pool and start the student from it."""
        self.source = self._source(first=0)
        while len(self.pool) < self.settings.pool:
            self._refill()
        images, targets = self.pool.all
        self.variances = [spread(maps) for maps in targets]
        start(self.student, images, targets)
        self.optimiser = optimiser(self.student)  # its rates depend on the weights
        self.clock = Clock(self.settings.steps, self.settings.minutes)

    def _source(self, first: int) -> Iterator[Tensor]:
        settings = self.settings
        for images in batches(self.views, settings.batch, first, settings.workers):
            yield images.to(self.device)

    def _refill(self) -> None:
        images = next(self.source)
        with torch.no_grad():
            self.pool.add(images, self.teacher.features(images))

    def advance(self) -> Row:
        """Take one step and return its losses."""
        progress, apart = self.clock.progress(self.step), self.settings.apart
        # A resumed run may be longer than before. Once the blocks were joined they stay joined,
        # because no maps for single blocks are kept.
        if progress < apart and not self.joined:
            row = self._apart(progress / apart)
        else:
            row = self._together(max(0.0, progress - apart) / (1 - apart or 1))
        self.optimiser.step()
        self.step += 1
        return row

    def _apart(self, progress: float) -> Row:
        """Train single blocks on the maps of the teacher; the worst block is drawn most often."""
        settings = self.settings
        self._prepare(settings.rate, progress, self.step)
        if self.step % settings.reuse == 0:
            self._refill()
        chosen = torch.multinomial(self.distances, settings.blocks).tolist()
        for number in chosen:
            given, wanted = self.pool.draw(number, self.teacher.blocks[number])
            hint = distance(self.student.blocks[number](given), wanted, self.variances[number])
            hint.backward()
            self.distances[number].lerp_(hint.detach().cpu().clamp(max=WORST), 1 - MEMORY)
        hints = self.distances
        return {"hints": float(hints.mean()), "worst": float(hints.max()), "cosine": math.nan}

    def _together(self, progress: float) -> Row:
        """Train all blocks together, each on the maps of the student."""
        if self.joined == 0:
            # The statistics of the single blocks' gradients would cause wild first steps.
            self.optimiser = optimiser(self.student)
        self.joined += 1
        while len(self.late) < self.settings.late:
            self._keep_late(next(self.source))
        self._prepare(self.settings.fine_rate, progress, self.joined)
        images = next(self.source)
        with torch.no_grad():
            wanted = self.teacher.features(images)
        maps = self.student.features(images)
        hints, alike = losses(maps, wanted, self.variances), cosine(maps[-1], wanted[-1])
        total(hints, alike, self.settings.hints).backward()
        self.late.add(maps[LATE].detach(), [wanted[LATE]])
        self.teach_late()
        values = torch.stack(hints).detach()
        return {
            "hints": float(values.mean()),
            "worst": float(values.max()),
            "cosine": float(alike.detach().mean()),
        }

    def _keep_late(self, images: Tensor) -> None:
        with torch.no_grad():
            before = slice(LATE + 1)
            own, given = (net.blocks[before](images) for net in (self.student, self.teacher))
            self.late.add(own, [given])

    def teach_late(self) -> Tensor:
        """Add gradients of the last blocks on mixtures of maps; return the cosines.

        Each image has only one embedding, too few targets for so many weights.
        """
        own, given = self.late.mixed(0, 1)
        with torch.no_grad():
            wanted = self.teacher.blocks[LATE + 1 :](given)
        found = self.student.blocks[LATE + 1 :](own)
        alike = cosine(found, wanted)
        total([distance(found, wanted, self.variances[-1])], alike, 1.0).backward()
        return alike.detach()

    def _prepare(self, peak: float, progress: float, step: int) -> None:
        self.rate = learning_rate(peak, step, progress, self.settings.warmup, LEAST_RATE)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group["unit"]
        self.optimiser.zero_grad(set_to_none=True)

    def validate(self) -> Row:
        """Return the cosine to the teacher on clean faces of held-out people."""
        with torch.no_grad():
            parts = self.held_out.to(self.device).split(32)
            alike = cosine(torch.cat([self.student(part) for part in parts]), self.wanted)
        return {"cosine": float(alike.mean()), "cosine_p5": float(alike.quantile(0.05))}

    def save(self) -> None:
        """Write the checkpoint and the weights."""
        state = {
            "step": self.step,
            "joined": self.joined,
            "spent": self.clock.elapsed(),
            "variances": self.variances,
            "student": self.student.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        loop.save(self.settings.out, state)
        save_wts(self.settings.out / "student.wts", self.student)

    def resume(self) -> None:
        """Restore the checkpoint of `out`, and continue with new views."""
        state = loop.load(self.settings.out / loop.CHECKPOINT, self.device)
        self.step, self.joined, self.variances = state["step"], state["joined"], state["variances"]
        self.student.load_state_dict(state["student"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.source = self._source(first=self.step + self.settings.pool)
        while not self.joined and len(self.pool) < self.settings.pool:
            self._refill()
        self.clock = Clock(self.settings.steps, self.settings.minutes, state["spent"])


def optimiser(student: MobileFaceNet) -> SOAP:
    """Return SOAP (arXiv 2409.11321) with a rate per tensor, relative to the size of its weights.

    Channels of the maps between blocks are strongly correlated. SOAP takes this into account: in
    the same time a block gets closer to the teacher than with Adam (`docs/LOG.md`).
    """
    first, *others = student.parameters()
    groups = [{"params": [first], "unit": CAUTION * _unit(first)}]
    groups += [{"params": [each], "unit": _unit(each)} for each in others]
    return SOAP(groups, lr=0.0, weight_decay=0.0)


def _unit(parameter: Tensor) -> float:
    """Return the root mean square of a kernel."""
    return float(parameter.detach().square().mean().sqrt()) if parameter.dim() == 4 else OF_VECTORS


def fit(training: Training) -> None:
    """Train until the schedule ends."""

    def steps() -> Iterator[Row]:
        while True:
            yield training.advance()

    loop.fit(training, steps(), training.validate)
