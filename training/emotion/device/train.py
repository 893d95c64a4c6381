"""The loop of a training that stays on one device."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from analysis.evaluation.fer2013 import SIDE, Split, read_split
from training import loop
from training.average import average
from training.emotion.device.network import Network, arrays, load_arrays, network
from training.emotion.device.views import Views, blend
from training.emotion.examples import examples
from training.emotion.labels import shared
from training.emotion.recipe import Recipe, load_recipe
from training.emotion.schedule import image_side, learning_rate
from training.emotion.validation import validate
from training.errors import TrainingError
from training.schedule import Clock

KEEP = 10  # epochs from checkpoint to checkpoint


def train(recipe: Recipe, data: Path, out: Path) -> float:
    """As `training.emotion.train.train`, on ``recipe.device``; return the best accuracy.

    ``out`` receives ``recipe.json``, ``curve.csv``, ``last.npz`` and ``best.npz`` (averaged
    weights, as Keras orders them), and ``checkpoint.pt``, from which a run that was cut goes on.

    Raises:
        TrainingError: what cannot be trained so: the message names it.

    """
    _require(recipe)
    out.mkdir(parents=True, exist_ok=True)
    recipe.save(out / "recipe.json")
    torch.manual_seed(recipe.seed)
    run = Run(recipe, read_split(data, "train"), read_split(data, "public"), out)
    while run.share < 1:
        run.epoch()
    return run.best


class Run:
    """One training: faces, network, average and how far it has come."""

    def __init__(self, recipe: Recipe, training: Split, public: Split, out: Path) -> None:
        self.recipe, self.public, self.out = recipe, public, out
        self.device = torch.device(recipe.device)
        faces, targets = examples(recipe, training)
        self.faces, self.targets = (torch.from_numpy(x).to(self.device) for x in (faces, targets))
        begun = _filled(recipe, Path(recipe.start)) if recipe.start else network(recipe)
        self.network = begun.to(self.device)
        self.averaged = copy.deepcopy(self.network).eval()
        self.optimiser = _optimiser(self.network, recipe)
        self.teachers = [self._teacher(Path(run)) for run in recipe.teachers.split(",") if run]
        self.views = Views(SIDE, recipe.strength, self.device)
        self.random = np.random.default_rng(recipe.seed)
        self.batches = max(1, len(faces) // recipe.batch)
        self.clock = Clock(recipe.epochs * self.batches, recipe.minutes)
        self.number, self.step, self.best = 0, 0, 0.0
        if (out / loop.CHECKPOINT).exists():
            self._resume()

    @property
    def share(self) -> float:
        """The share of the run that is done, 0 to 1."""
        return self.clock.progress(self.step)

    def epoch(self) -> None:
        """Train one epoch or what the clock leaves of it, validate the average, save both."""
        side = image_side(self.share, self.recipe.sides)
        if self.views.side != side:
            self.views = Views(side, self.recipe.strength, self.device)
        order = torch.randperm(len(self.faces), device=self.device)
        losses = []
        for chosen in order.split(self.recipe.batch)[: self.batches]:
            losses.append(self._step(self.views(self.faces[chosen]), self.targets[chosen]))
            if self.share >= 1:
                break
        self.number += 1
        self._validate(side, float(torch.stack(losses).mean()))
        if self.number % KEEP == 0 or self.share >= 1:
            self._save()

    def _step(self, pixels: Tensor, targets: Tensor) -> Tensor:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.share, self.recipe.rate)
        if self.recipe.mixup:
            weight = self.random.beta(self.recipe.mixup, self.recipe.mixup)
            pixels, targets = blend(pixels, targets, weight)
        loss = F.cross_entropy(self._logits(self.network, pixels), self.taught(pixels, targets))
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        average(self.averaged, self.network, self.step, self.recipe.ema)
        self.step += 1
        return loss.detach()

    def taught(self, pixels: Tensor, targets: Tensor) -> Tensor:
        """Targets with the teachers' share, as `training.emotion.distil.Teachers.targets`."""
        if not self.teachers:
            return targets
        with torch.no_grad():
            said = [self._logits(teacher, pixels).softmax(1) for teacher in self.teachers]
        taught: Tensor = shared(targets, torch.stack(said).mean(0), self.recipe.teacher_share)
        return taught

    def _logits(self, module: torch.nn.Module, pixels: Tensor) -> Tensor:
        mixed = self.recipe.mixed_precision
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            logits: Tensor = module(pixels)
        return logits

    def _validate(self, side: int, loss: float) -> None:
        score = validate(self, side, loss, self.predict(self.public.faces, side))
        self._write("last")
        if score >= self.best:
            self.best = score
            self._write("best")

    def predict(self, faces: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float32]:
        """Logits float32 (N, 7) of the averaged network for faces uint8 (N, 48, 48)."""
        pixels = torch.from_numpy(faces).to(self.device).float()
        if side != pixels.shape[1]:
            pixels = F.interpolate(pixels[:, None], side, mode="area")[:, 0]
        with torch.no_grad():
            parts = [self._logits(self.averaged, part) for part in pixels.split(self.recipe.batch)]
        return np.asarray(torch.cat(parts).cpu().numpy())

    def _teacher(self, run: Path) -> torch.nn.Module:
        teacher = _filled(load_recipe(run / "recipe.json"), run / "last.npz")
        return teacher.to(self.device).eval().requires_grad_(requires_grad=False)

    def _write(self, name: str) -> None:
        staged = self.out / "saving.npz"
        np.savez(staged, *arrays(self.averaged))
        staged.replace(self.out / f"{name}.npz")

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "counts": [self.number, self.step, self.best, self.clock.elapsed()],
        }
        loop.save(self.out, state)

    def _resume(self) -> None:
        state = loop.load(self.out / loop.CHECKPOINT, self.device)
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.number, self.step, self.best, self.clock.spent = state["counts"]
        torch.manual_seed(self.recipe.seed + self.number)  # no view of before is drawn again


def _require(recipe: Recipe) -> None:
    default = Recipe()
    kept = ("frozen", "below", "branches", "fine")
    if changed := [name for name in kept if getattr(recipe, name) != getattr(default, name)]:
        raise TrainingError(f"--device trains whole networks: drop --{', --'.join(changed)}")
    if recipe.start and not recipe.start.endswith(".npz"):
        raise TrainingError(
            f"--device reads arrays, not {recipe.start}: write them by"
            " `python -m training.emotion start`"
        )
    uneven = [str(side) for side in recipe.sides.values() if side % 8]
    if recipe.network == "fer48" and uneven:
        # Keras pads the odd maps within in another way: what reads the run would see other faces.
        raise TrainingError(
            f"--device trains fer48 on sides that are multiples of 8, not {', '.join(uneven)}:"
            " change --sides, or take --network mobileface"
        )


def _optimiser(module: torch.nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Kernels decay; scales, slopes, shifts and biases do not."""
    kernels = [each for each in module.parameters() if each.ndim > 1]
    others = [each for each in module.parameters() if each.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=0.0)
        case unknown:
            raise TrainingError(f"unknown optimizer {unknown!r}: sgd or adamw")


def _filled(recipe: Recipe, path: Path) -> Network:
    filled = network(recipe)
    with np.load(path) as file:
        load_arrays(filled, file.values())
    return filled
