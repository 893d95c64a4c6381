"""The options of all stages of a GPU day, and the engines that the stages measure."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from bench.gpu.results import Finding
from bench.inputs.scenes import ONE_FACE
from bench.measure.service import Serving, serving
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError
from engines.gpus import restrict
from engines.select import ON_GPU, load_engine
from engines.types import Engine
from offline.plans import select_models
from service.settings import Settings

# With the time to end, at most ten minutes.
LIMIT_S = 590
# Without GPUs the day is rehearsed on this engine, behind a device process, and this decoder.
STAND_IN = "onnxruntime"
DECODER, STAND_IN_DECODER = "nvimagecodec", "analysis.jpegs.nvimagecodec:NvImageCodec:cpu"
PRECISIONS: tuple[Precision, ...] = ("fp16", "fp32", "int8")


class Skipped(Exception):  # noqa: N818  (no error)
    """A stage cannot run on this machine; the message has the reason."""


class Day(msgspec.Struct, frozen=True):
    """The options of all stages, each of which runs in a separate process.

    engines: by default those for GPUs; models: by default those in use; seconds: per figure of a
    network; most: the largest batch; clients: of loads; jpeg_decoder: see the setting. Plans lie in
    the folder of the settings.
    """

    rehearsal: bool = False
    engines: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seconds: float = 0.5
    most: int = 512
    clients: int = 64
    scenes: tuple[str, ...] = (ONE_FACE, "1920x1080, 5 faces")
    jpeg_decoder: str = DECODER

    def unusual(self) -> dict[str, str]:
        """The options that are not the usual ones, by name."""
        usual = Day(rehearsal=self.rehearsal)
        pairs = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: _text(value) for name, value in pairs if value != getattr(usual, name)}

    @property
    def load_s(self) -> float:
        """The seconds of a load: it needs longer to be steady."""
        return 10 * self.seconds

    def names(self) -> tuple[str, ...]:
        """Names of the engines to measure, whether they run here or not."""
        return self.engines or ((STAND_IN,) if self.rehearsal else ON_GPU)

    def specs(self, engine: Engine) -> list[ModelSpec]:
        """The models to measure; a detector is followed by the larger inputs of a device."""
        settings = Settings().model_copy(update={"device_process": True})
        return select_models(list(self.models), settings, engine)


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


class Stage(NamedTuple):
    """A part of the day, of at most `limit_s` seconds; `look`: where to look if it stops."""

    name: str
    about: str
    run: Callable[[Day], Iterator[Finding]]
    look: str
    limit_s: float = LIMIT_S


def usable(day: Day) -> list[Engine]:
    """The engines that run here.

    Raises:
        Skipped: none does.
    """
    obstacles = obstacles_of(day)
    found = [load_engine(name) for name, obstacle in obstacles.items() if obstacle is None]
    if not found:
        raise Skipped("; ".join(f"{name}: {why}" for name, why in obstacles.items()))
    return found


def obstacles_of(day: Day) -> dict[str, str | None]:
    """By engine, why it does not run here, or None if it does."""
    return {name: _obstacle(name) for name in day.names()}


def _obstacle(name: str) -> str | None:
    try:
        return load_engine(name).obstacle()
    except EngineError as error:
        return str(error)


def with_precision(day: Day, precision: Precision) -> list[Engine]:
    """The engines that run here and compute in `precision`; this process uses only the first GPU.

    Raises:
        Skipped: none does.
    """
    found = [engine for engine in usable(day) if precision in engine.precisions]
    if not found:
        raise Skipped(f"no engine here computes in {precision}")
    for gpu in found[0].gpus()[:1]:
        restrict(gpu)  # before a builder starts CUDA
    return found


def running(given: dict[str, str]) -> AbstractContextManager[Serving]:
    """Run a service with these settings; its log is appended to the log of the stage."""
    return serving(sys.stderr.buffer, **given)


def service_settings(day: Day, engine: Engine) -> dict[str, str]:
    """The settings of a service: the engine in a device process, in fp16.

    A rehearsal uses the default precision of its engine, whose plans exist.
    """
    fp16 = "fp16" in engine.precisions and not day.rehearsal
    precision = "fp16" if fp16 else engine.precisions[0]
    return {"engine": engine.origin, "precision": precision, "device_process": "true"}
