"""The training loop: every block by itself, then the network as a whole."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training import loop
from training.curve import Row
from training.embedder.augment import Views, batches, middle, normalised
from training.embedder.faces import Faces
from training.embedder.loss import cosine, distance, losses, spread, total
from training.embedder.network import MobileFaceNet
from training.embedder.pool import Pool
from training.embedder.soap import Soap
from training.embedder.start import start
from training.embedder.weights import load_wts, save_wts
from training.schedule import Clock, learning_rate

LEAST_RATE = 0.01  # of the peak, at the end of a phase
# Of the first kernel's rate: whitened pixels leave it large, and a small part of it moves much.
CAUTION = 0.1
# How far a block is behind: a running mean of its distance, of which no more than this counts.
MEMORY, WORST = 0.9, 1.0
LATE, LATE_POOL = 12, 8192  # the last block that halves, and images whose maps behind it are kept
HELD_OUT = 64  # faces that the curve is drawn from


@dataclass(frozen=True)
class Settings(loop.Settings):
    """Everything a run depends on; see `python -m training.embedder train --help`."""

    teacher: Path
    apart: float
    blocks: int
    pool: int
    late: int
    reuse: int
    fine_rate: float
    hints: float


class Training:
    """A student, the teacher, what the teacher gave lately, and the optimiser."""

    def __init__(self, settings: Settings, faces: Faces) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.step, self.joined = settings, 0, 0
        self.device = torch.device(settings.device)
        known, unknown = faces.split()
        self.views = Views(known.images, settings.seed)
        self.teacher = load_wts(settings.teacher).to(self.device).requires_grad_(False)
        held_out = middle(unknown.images[:: max(1, len(unknown.images) // HELD_OUT)])
        self.held_out = normalised(held_out)
        with torch.no_grad():
            self.wanted = self.teacher(self.held_out.to(self.device))
        self.student = MobileFaceNet().to(self.device)
        self.optimiser = self._optimiser()
        self.pool = Pool(settings.pool)
        self.late = Pool(LATE_POOL)
        self.behind = torch.ones(len(self.student.blocks))

    def _optimiser(self) -> Soap:
        first, *others = self.student.parameters()
        groups = ((CAUTION, [first]), (1.0, others))
        return Soap({"params": given, "caution": caution} for caution, given in groups)

    def begin(self) -> None:
        """Fill the pool and start the student from it."""
        self.source = self._source(first=0)
        while len(self.pool) < self.settings.pool:
            self._refill()
        images, targets = self.pool.all
        self.variances = [spread(maps) for maps in targets]
        start(self.student, images, targets)
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
        """One step; returns its losses."""
        progress, apart = self.clock.progress(self.step), self.settings.apart
        # A resumed run may be longer than the one that was cut, which had joined the blocks: no map
        # of single ones is kept then, and they stay joined.
        if progress < apart and not self.joined:
            row = self._apart(progress / apart)
        else:
            row = self._together(max(0.0, progress - apart) / (1 - apart or 1))
        self.optimiser.step()
        self.step += 1
        return row

    def _apart(self, progress: float) -> Row:
        """Single blocks, from the teacher's maps before to those after; the worst most often."""
        settings = self.settings
        self._prepare(settings.rate, progress, self.step)
        if self.step % settings.reuse == 0:
            self._refill()
        chosen = torch.multinomial(self.behind, settings.blocks).tolist()
        for number in chosen:
            given, wanted = self.pool.draw(number, self.teacher.blocks[number])
            hint = distance(self.student.blocks[number](given), wanted, self.variances[number])
            hint.backward()
            self.behind[number].lerp_(hint.detach().cpu().clamp(max=WORST), 1 - MEMORY)
        hints = self.behind
        return {"hints": float(hints.mean()), "worst": float(hints.max()), "cosine": math.nan}

    def _together(self, progress: float) -> Row:
        """All blocks, each from what the student's own gave."""
        if self.joined == 0:
            # Statistics of other gradients would make for wild first steps.
            self.optimiser = self._optimiser()
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
        """The blocks behind the last halving, on mixtures; gives the cosines and leaves gradients.

        There is but one embedding an image, too few for so many weights.
        """
        own, given = self.late.mixed(0, 1)
        with torch.no_grad():
            wanted = self.teacher.blocks[LATE + 1 :](given)
        found = self.student.blocks[LATE + 1 :](own)
        alike = cosine(found, wanted)
        total([distance(found, wanted, self.variances[-1])], alike, 1.0).backward()
        return alike.detach()

    def _prepare(self, peak: float, progress: float, step: int) -> None:
        rate = learning_rate(peak, step, progress, self.settings.warmup, LEAST_RATE)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["caution"]
        self.optimiser.zero_grad(set_to_none=True)

    def validate(self) -> Row:
        """Cosine to the teacher on clean faces of people it has not seen."""
        with torch.no_grad():
            parts = self.held_out.to(self.device).split(32)
            alike = cosine(torch.cat([self.student(part) for part in parts]), self.wanted)
        return {"cosine": float(alike.mean()), "cosine_p5": float(alike.quantile(0.05))}

    def save(self) -> None:
        """Checkpoint and weights."""
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
        """Go on from `out`'s checkpoint, with views that have not been seen."""
        state = loop.load(self.settings.out / loop.CHECKPOINT, self.device)
        self.step, self.joined, self.variances = state["step"], state["joined"], state["variances"]
        self.student.load_state_dict(state["student"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.source = self._source(first=self.step + self.settings.pool)
        while not self.joined and len(self.pool) < self.settings.pool:
            self._refill()
        self.clock = Clock(self.settings.steps, self.settings.minutes, state["spent"])


def fit(training: Training) -> None:
    """Train until the clock has run out."""

    def steps() -> Iterator[Row]:
        while True:
            yield training.advance()

    loop.fit(training, steps(), training.validate)
