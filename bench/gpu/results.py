"""The file of a GPU day: what the stages found, on which machine, at which commit."""

from pathlib import Path
from typing import Literal

import msgspec

from engines.disk import atomic_write

FORMAT = 1
# A stage that found what it should, one that did not, and one that cannot run on this machine.
State = Literal["go", "stop", "skipped"]


class ResultError(Exception):
    """A result file that is unreadable, changed, or of another machine."""


class Figure(msgspec.Struct, frozen=True, tag=True):
    """Measured values by unit, such as `ms` or `images_per_s`; `name` is what was measured."""

    name: str
    values: dict[str, float]


class Parity(msgspec.Struct, frozen=True, tag=True):
    """How far a plan or a decoder is from its reference; within its limits, or it is a Problem."""

    name: str
    values: dict[str, float]


class Problem(msgspec.Struct, frozen=True, tag=True):
    """Something that must not be: the stage stops the day."""

    text: str


Finding = Figure | Parity | Problem


class StageResult(msgspec.Struct, frozen=True):
    """A stage: `reason` is why it stopped or was skipped, `look` where to look then.

    options: the options of `bench.gpu.day.Day` that differed from the defaults.
    """

    name: str
    state: State
    seconds: float = 0.0
    reason: str = ""
    look: str = ""
    figures: tuple[Figure, ...] = ()
    parities: tuple[Parity, ...] = ()
    options: dict[str, str] = {}


class GpuFound(msgspec.Struct, frozen=True):
    """A GPU or MIG slice; memory in bytes."""

    name: str
    capability: str
    memory: int


class Machine(msgspec.Struct, frozen=True):
    """Where the stages ran. `clean`: whether no file differed from the commit."""

    cpu: str
    cores: int
    gpus: tuple[GpuFound, ...]
    driver: str
    libraries: dict[str, str]
    commit: str
    clean: bool


class DayResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. A rehearsal ran on fakes and can never be quoted."""

    date: str
    rehearsal: bool
    machine: Machine
    stages: tuple[StageResult, ...] = ()
    format: int = FORMAT
    sha256: str = ""
    signature: str = ""

    def with_stage(self, stage: StageResult) -> "DayResult":
        """The same with this stage instead of an earlier run of it; seals are gone."""
        others = tuple(each for each in self.stages if each.name != stage.name)
        return msgspec.structs.replace(self, stages=(*others, stage), sha256="", signature="")

    def canonical(self) -> bytes:
        """The bytes that are hashed and signed: everything but the seals, keys sorted.

        The result is encoded and decoded first, as a reader sees it: 1 may become the float 1.0.
        """
        plain = msgspec.structs.replace(self, sha256="", signature="")
        as_read = msgspec.json.decode(msgspec.json.encode(plain), type=DayResult)
        return msgspec.json.encode(as_read, order="sorted")


def load(path: Path) -> DayResult:
    """Read a file; `bench.gpu.signing.check` checks it.

    Raises:
        ResultError: it cannot be read, or is not such a file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=DayResult)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultError(f"{path} is not a result of bench.gpu: {error}") from error


def save(result: DayResult, path: Path) -> None:
    """Write a file for people and programs, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
