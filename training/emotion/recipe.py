"""What a training run depends on, as a dataclass, as command-line options and as JSON."""

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
    """How far views go. Probabilities are a view's; lengths are shares of the side."""

    scale: tuple[float, float] = (0.85, 1.25)
    shift: float = 0.12
    rotation: float = 30.0
    tone: float = 0.5
    degrade: float = 0.25
    erase: float = 0.25


@dataclass(frozen=True)
class View:
    """What a network is shown of a face: ``up`` in rows of 48, a ``zoom`` above 1 is closer.

    A ``side`` of 0 is the one that its training ended on.

    Raises:
        TrainingError: a zoom that is not above 0, or a side below it.

    """

    mirrored: bool = False
    zoom: float = 1.0
    up: float = 0.0
    side: int = 0

    def __post_init__(self) -> None:
        """Refuse what no face can be shown at."""
        if self.zoom <= 0 or self.side < 0:
            raise TrainingError(f"a view has a zoom above 0 and a side of at least 0, not {self}")


@dataclass(frozen=True)
class Recipe:
    """Everything but the data. Written beside a run's checkpoints as ``recipe.json``.

    ``sides`` maps the share of the run at which it starts to an image side:
    small images first cost a third (progressive resizing). ``frozen`` names the
    layer up to which weights stay as they start. ``minutes`` ends the schedule
    by the clock if that comes before ``epochs``. ``below`` is the folder of a run whose last
    weights the frozen layers get. ``branches`` are the ends, one or two, that a ``mobileface`` has.
    ``parts`` are the networks of a ``joined`` one and ``view`` what one of them is shown once it is
    trained, see `training.emotion.join`. ``fit_votes`` makes of an image's FER+ votes the labels
    that such votes go with. ``fine`` makes a ``mobileface`` whose first convolution halves the side
    of faces, see `training.emotion.refine`. ``teachers`` are folders of runs, separated by commas,
    which have ``teacher_share`` of every target. ``unlabelled`` is a file of
    `training.emotion.frames`, whose faces they have the whole target of. With a ``device``, as
    ``cuda``, all of the training stays there: see `training.emotion.device`.

    Raises:
        TrainingError: another number of branches than one or two, an empty batch, no epoch,
            ``fine`` or two branches of another network than ``mobileface``.

    """

    network: str = "fer48"
    width: int = 40
    blocks: int = 1
    branches: int = 1
    fine: bool = False
    dropout: float = 0.3
    start: str = ""
    frozen: str = ""
    below: str = ""
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
    jit: bool = True
    workers: int = 0
    device: str = ""
    seed: int = 0
    view: View = field(default_factory=View)
    parts: tuple[Recipe, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be built or trained."""
        if min(self.batch, self.epochs) < 1:
            raise TrainingError("a training has an epoch, and a batch a face, at least")
        if self.branches not in {1, 2}:
            raise TrainingError(f"a network has one branch or two, not {self.branches}")
        if self.network != "mobileface" and (self.fine or self.branches == 2):
            raise TrainingError("--fine and --branches are for --network mobileface alone")

    def save(self, path: Path) -> None:
        """Write the recipe as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe that ``Recipe.save`` wrote; options it does not name keep their default."""
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
    """Add an option for every field but the nested ones, with the field's default."""
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
    """Return the recipe that the parsed options describe."""
    values = {
        each.name: getattr(options, each.name)
        for each in fields(Recipe)
        if each.name not in {"strength", "view", "parts"}
    }
    strength = Strength(tone=options.tone, degrade=options.degrade, erase=options.erase)
    return Recipe(**values, strength=strength)


def parse_sides(text: str) -> dict[float, int]:
    """``0:32,0.5:48`` -> {0.0: 32, 0.5: 48}; the first entry must start at 0.

    Raises:
        ValueError: the text has another form, or nothing starts at 0.

    """
    pairs = [entry.split(":") for entry in text.split(",")]
    sides = {float(start): int(side) for start, side in pairs}
    if 0.0 not in sides:
        raise ValueError("the first side must start at 0")
    return sides


def parse_view(text: str) -> View:
    """``mirrored,zoom=1.1,up=2,side=36``, any part of it or ``plain`` -> the view.

    Raises:
        ValueError: the text has another form.

    """
    named = [part for part in text.split(",") if part != "plain"]
    given = dict(part.partition("=")[::2] for part in named if part != "mirrored")
    if unknown := given.keys() - {"zoom", "up", "side"}:
        made_of = "mirrored, zoom=, up= and side="
        raise ValueError(f"a view is made of {made_of}, not {', '.join(unknown)}")
    side = int(given.pop("side", 0))
    lengths = {name: float(length) for name, length in given.items()}
    return View("mirrored" in named, **lengths, side=side)
