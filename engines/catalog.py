"""The registry of models: `catalog.toml`, and the user's own catalogs in the same form."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from engines.errors import CatalogError

Task = Literal["detector", "landmarks", "emotion", "embedder"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]
OptionValue = int | float | str | bool | tuple[int, ...]

# Default of `ModelSpec.same_person`.
SAME_PERSON = 0.45
# Side of a landmark network's square input, in pixels.
LANDMARK_SIDE = 64
# `ModelSpec.sides` are multiples of it: the coarsest stride of RetinaFace.
SIDE_STEP = 32
# Networks that a library runs in Python; see `engines.libraries`.
LIBRARIES = ("haar", "mtcnn")
BUILTIN = Path(__file__).with_name("catalog.toml")


class ParityLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a plan may differ from the reference at one precision; see `engines.parity`.

    - `iou`, `cosine`: minima over the probe faces.
    - `landmark`: maximum distance in pixels of the network's input.
    - `score`: maximum absolute difference of a probability.
    - `agreement`: minimum share of faces with the same most probable emotion; ties count as equal.

    The default of each is in `engines.limits`.
    """

    iou: float | None = None
    landmark: float | None = None
    score: float | None = None
    cosine: float | None = None
    agreement: float | None = None


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: where its weights come from, which network they fill, and its batch sizes.

    - `network`: an entry of `tensorrtx.NETWORKS`; `options` are its keyword arguments.
    - `weights`: a path relative to the catalog file; `url`: where to download the file.
    - `sha256`: of that file; `weights_options` are more arguments, for that file only.
    - `batches`: the batch sizes that plans are optimised for, rising.
    - `sides`: for a detector, larger square inputs in pixels, rising; see `larger` and `wide`.
    - `same_person`: for an embedder, the minimum cosine, above 0 and up to 1, at which two faces
      among those of many people count as the same person.
    - `base`: for an entry of `larger` or `wide`, the name of the entry that it comes from.
    """

    name: str
    task: Task
    network: str
    version: str
    licence: str
    batches: tuple[int, ...]
    description: str = ""
    weights: str | None = None
    url: str | None = None
    sha256: str | None = None
    options: dict[str, OptionValue] = {}
    weights_options: dict[str, OptionValue] = {}
    labels: tuple[str, ...] = ()
    sides: tuple[int, ...] = ()
    same_person: float = SAME_PERSON
    limits: dict[Precision, ParityLimits] = {}
    root: Path = Path()
    base: str | None = None

    @property
    def entry(self) -> str:
        """Name of the entry in the catalog's file, which also names the user's own weights."""
        return self.base or self.name

    @property
    def library(self) -> bool:
        """Whether a library runs this detector: it has no graph and no plan."""
        return self.network in LIBRARIES

    @property
    def max_batch(self) -> int:
        """The largest batch size of this model's plans."""
        return self.batches[-1]

    @property
    def input_name(self) -> str:
        """Name of the network's only input."""
        return "images" if self.task == "detector" else "faces"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one item of the uint8 input: (H, W, 3), or (H, W) if it is grey."""
        match self.task:
            case "detector":
                return (*self.input_size, 3)
            case "landmarks":
                return (LANDMARK_SIDE, LANDMARK_SIDE, 3)
            case "emotion":
                return (48, 48)
            case "embedder":
                return (112, 112, 3)

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of a detector's input in pixels.

        Raises:
            TypeError: the catalog's option is not a pair.
        """
        match self.options.get("size", (640, 640)):
            case (height, width):
                return int(height), int(width)
        raise TypeError(f"{self.name}: size must be [height, width]")

    @property
    def larger(self) -> tuple["ModelSpec", ...]:
        """This detector with each of its larger inputs, rising; network and weights are the same.

        A batch has at most as many pixels as the largest batch of this entry: it takes as much
        memory.
        """
        return tuple(self._at(side, side, f"{self.name}-{side}") for side in self.sides)

    @property
    def wide(self) -> tuple["ModelSpec", ...]:
        """This detector with an input for films, as wide as the largest one, or none.

        Where batches have one height, 16:9 would fill only 56 % of a square.
        """
        if not self.sides:
            return ()
        width = self.sides[-1]
        height = -(-width * 9 // (16 * SIDE_STEP)) * SIDE_STEP
        return (self._at(height, width, f"{self.name}-{width}x{height}"),)

    def _at(self, height: int, width: int, name: str) -> "ModelSpec":
        most = self.max_batch * math.prod(self.input_size) // (height * width)
        return msgspec.structs.replace(
            self,
            name=name,
            base=self.name,
            batches=tuple(rows for rows in self.batches if rows <= most) or self.batches[:1],
            options={**self.options, "size": (height, width)},
            sides=(),
        )


class _CatalogFile(msgspec.Struct, forbid_unknown_fields=True):
    model: list[ModelSpec]


class Catalog:
    """Models by name; an entry of a later file replaces one of the same name.

    `get` also finds the entries of `ModelSpec.larger` and `ModelSpec.wide`.

    Raises:
        CatalogError: an entry has the name of another one with a larger input.
    """

    def __init__(self, specs: Iterable[ModelSpec]) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._larger = {each.name: each for spec in self for each in (*spec.larger, *spec.wide)}
        for name in self._specs.keys() & self._larger:
            raise CatalogError(
                f"{name} is {self._larger[name].base} with a larger input; "
                "choose another name for the entry"
            )

    @classmethod
    def load(cls, *extra: Path) -> "Catalog":
        """Read the built-in catalog and then the `extra` ones.

        Raises:
            CatalogError: a file is missing or an entry is not valid; the message names the field.
        """
        return cls(spec for path in (BUILTIN, *extra) for spec in read(path))

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    def __contains__(self, name: object) -> bool:
        """Whether `get` finds an entry of this name."""
        return name in self._specs or name in self._larger

    def get(self, name: str, task: Task | None = None) -> ModelSpec:
        """Return the entry `name`.

        Raises:
            CatalogError: there is no such entry, or it has another task.
        """
        spec = self._specs.get(name) or self._larger.get(name)
        if spec is None:
            raise CatalogError(
                f"no model {name!r} in the catalog; `emotions models list` shows all"
            )
        if task is not None and spec.task != task:
            raise CatalogError(f"{name} is a model for the task {spec.task}, not {task}")
        return spec


def read(path: Path) -> list[ModelSpec]:
    """Read one catalog file; errors as `Catalog.load`."""
    try:
        models = msgspec.toml.decode(path.read_bytes(), type=_CatalogFile).model
    except OSError as error:
        raise CatalogError(f"cannot read the catalog {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise CatalogError(f"the catalog {path} is not valid: {error}") from error
    return [_checked(msgspec.structs.replace(spec, root=path.parent), path) for spec in models]


def _checked(spec: ModelSpec, path: Path) -> ModelSpec:
    """Check the rules that the types cannot express."""
    if not spec.batches or list(spec.batches) != sorted(set(spec.batches)) or spec.batches[0] < 1:
        raise CatalogError(f"{path}: {spec.name}: batches must be rising numbers from 1 up")
    if spec.task == "emotion" and not spec.labels:
        raise CatalogError(f"{path}: {spec.name}: an emotion model needs its labels")
    if not 0 < spec.same_person <= 1:
        raise CatalogError(f"{path}: {spec.name}: same_person must be a cosine above 0, up to 1")
    if spec.url is not None and spec.sha256 is None:
        raise CatalogError(f"{path}: {spec.name}: a url needs the sha256 of its file")
    if spec.name != Path(spec.name).name:
        raise CatalogError(f"{path}: {spec.name!r} cannot be a model's name: it names files")
    if spec.base is not None:
        raise CatalogError(f"{path}: {spec.name}: base is not for catalogs; see sides")
    if spec.sides:
        _check_sides(spec, path)
    return spec


def _check_sides(spec: ModelSpec, path: Path) -> None:
    try:
        smallest = max(spec.input_size)
    except (TypeError, ValueError) as error:
        raise CatalogError(f"{path}: {spec.name}: size must be [height, width]") from error
    rising = list(spec.sides) == sorted(set(spec.sides))
    if (
        spec.task != "detector"
        or not rising
        or any(side <= smallest or side % SIDE_STEP for side in spec.sides)
    ):
        raise CatalogError(
            f"{path}: {spec.name}: sides are for a detector, rising multiples of {SIDE_STEP} "
            f"above its size, {smallest}"
        )
