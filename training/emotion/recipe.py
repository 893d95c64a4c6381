"""Everything a training run depends on: as a dataclass, as command-line options and as JSON."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from training.errors import TrainingError, option


@dataclass(frozen=True)
class Strength:
    """How strong random views are.

    ``tone``, ``degrade`` and ``erase`` are probabilities per view, ``shift`` is a fraction of the
    image side and ``rotation`` is in degrees.
    """

    scale: tuple[float, float] = (0.85, 1.25)
    shift: float = 0.12
    rotation: float = 30.0
    tone: float = 0.5
    degrade: float = 0.25
    erase: float = 0.25


@dataclass(frozen=True)
class View:
    """The part of a face that one network of an ensemble sees.

    ``up`` moves the view by rows of 48, a ``zoom`` above 1 is closer, and a ``side`` of 0 stands
    for the side on which the training ended.

    Raises:
        TrainingError: the zoom is not above 0, or the side is negative.

    """

    mirrored: bool = False
    zoom: float = 1.0
    up: float = 0.0
    side: int = 0

    def __post_init__(self) -> None:
        """Reject impossible views."""
        if self.zoom <= 0 or self.side < 0:
            raise TrainingError(f"a view has a zoom above 0 and a side of at least 0, not {self}")


@dataclass(frozen=True)
class Recipe:
    """All options of a run but the data. Every run saves it as ``recipe.json``.

    start: weights to begin with: ``.wts``, ``.weights.h5``, or ``imagenet`` for ``resnet50``.
    frozen: name of the layer up to which weights keep their start values.
    fine: ``mobileface`` whose first convolution halves the side, see `training.emotion.refine`.
    minutes: the schedule ends by the clock if that comes before ``epochs``.
    label_weight: weight of the label in a target; the FER+ votes have the rest.
    fit_votes: replace votes by the labels that such votes predict, see `training.emotion.votes`.
    teachers: folders of runs, separated by commas, that have ``teacher_share`` of every target.
    unlabelled: file of `training.emotion.frames`; only teachers give targets for its faces.
    sides: fraction of the run -> image side from there on (small images first save time).
    view: what this network sees within an ensemble, see `training.emotion.join`.
    parts: the networks of an ensemble (``joined``).

    Raises:
        TrainingError: no epoch, an empty batch, or ``fine`` without ``mobileface``.

    """

    network: str = "fer48"
    width: int = 40
    blocks: int = 1
    fine: bool = False
    dropout: float = 0.3
    start: str = ""
    frozen: str = ""
    epochs: int = 60
    minutes: float = math.inf
    batch: int = 128
    optimizer: str = "sgd"
    rate: float = 0.08
    weight_decay: float = 5e-4
    ema: float = 0.998
    smoothing: float = 0.05
    label_weight: float = 0.7
    fit_votes: bool = False
    mixup: float = 0.0
    teachers: str = ""
    teacher_share: float = 0.7
    unlabelled: str = ""
    sides: dict[float, int] = field(default_factory=lambda: {0.0: 48})
    strength: Strength = field(default_factory=Strength)
    mixed_precision: bool = False
    workers: int = 0
    seed: int = 0
    view: View = field(default_factory=View)
    parts: tuple[Recipe, ...] = ()

    def __post_init__(self) -> None:
        """Reject what cannot be built or trained."""
        if min(self.batch, self.epochs) < 1:
            raise TrainingError("--batch and --epochs must be at least 1")
        if self.fine and self.network != "mobileface":
            raise TrainingError("--fine needs --network mobileface")
        if self.network in {"classic", "resnet50"} and set(self.sides.values()) != {48}:
            raise TrainingError(f"--network {self.network} takes faces of 48 pixels; omit --sides")

    def save(self, path: Path) -> None:
        """Write the recipe as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe that ``Recipe.save`` wrote; missing options have their default."""
    return _recipe(json.loads(path.read_text()))


def _recipe(values: dict[str, Any]) -> Recipe:
    known = {each.name for each in fields(Recipe)}
    chosen = {name: value for name, value in values.items() if name in known}
    chosen["sides"] = {float(start): side for start, side in values["sides"].items()}
    strength = values["strength"]
    chosen["strength"] = Strength(**{**strength, "scale": tuple(strength["scale"])})
    chosen["view"] = View(**values.get("view", {}))
    chosen["parts"] = tuple(map(_recipe, values.get("parts", ())))
    return Recipe(**chosen)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for every field that is not nested, with the default of the field."""
    for each in fields(Recipe):
        flag = "--" + each.name.replace("_", "-")
        if each.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=each.default)
        elif each.type in {"int", "float", "str"}:
            parser.add_argument(flag, type=type(each.default), default=each.default)
    parser.add_argument("--sides", type=option(parse_sides), default={0.0: 48}, help="0:32,0.5:48")
    parser.add_argument("--tone", type=float, default=Strength.tone)
    parser.add_argument("--degrade", type=float, default=Strength.degrade)
    parser.add_argument("--erase", type=float, default=Strength.erase)


def from_options(options: argparse.Namespace) -> Recipe:
    """Return the recipe of parsed options."""
    values = {
        each.name: getattr(options, each.name)
        for each in fields(Recipe)
        if each.name not in {"strength", "view", "parts"}
    }
    strength = Strength(tone=options.tone, degrade=options.degrade, erase=options.erase)
    return Recipe(**values, strength=strength)


def parse_sides(text: str) -> dict[float, int]:
    """``0:32,0.5:48`` -> {0.0: 32, 0.5: 48}.

    Raises:
        ValueError: the text has another form, or no side starts at 0.

    """
    pairs = [entry.split(":") for entry in text.split(",")]
    sides = {float(start): int(side) for start, side in pairs}
    if 0.0 not in sides:
        raise ValueError("the first side must start at 0")
    return sides


def parse_view(text: str) -> View:
    """``mirrored,zoom=1.1,up=2,side=36``, any part of it, or ``plain`` -> the view.

    Raises:
        ValueError: the text has another form.

    """
    named = [part for part in text.split(",") if part != "plain"]
    given = dict(part.partition("=")[::2] for part in named if part != "mirrored")
    if unknown := given.keys() - {"zoom", "up", "side"}:
        allowed = "mirrored, zoom=, up= and side="
        raise ValueError(f"a view consists of {allowed}, not {', '.join(unknown)}")
    side = int(given.pop("side", 0))
    lengths = {name: float(length) for name, length in given.items()}
    return View("mirrored" in named, **lengths, side=side)
