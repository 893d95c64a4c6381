"""Networks without computation that record what they open, and fail on some plain colours."""

import os
from pathlib import Path
from typing import Any

from bench.fakes.engine import FakeEngine, FakeRunner
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError
from engines.types import Array, Feeds
from tests.engines.poisoned import take_effect

# While a file of this name is beside the one that records, the GPU has no memory.
FULL = "full"


class FaultyRunner(FakeRunner):
    """Fails, kills its process or hangs if the first pixel of a row has one of the colours."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        take_effect(feeds)
        return super().infer(feeds)


class FaultyEngine(FakeEngine):
    """Appends a line with process id and task to a file for each network that it opens."""

    def __init__(self, file: str) -> None:
        super().__init__(name(Path(file)), faces=1)
        self._file = Path(file)

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        with self._file.open("a") as lines:
            lines.write(f"{os.getpid()} {spec.task}\n")
        if self._file.with_name(FULL).exists():
            raise GpuMemoryError("8.0 MiB of GPU memory are needed; 1.0 MiB are free")
        return FaultyRunner(spec, faces=1)


def name(file: Path) -> str:
    """Return the name of the engine that records in `file`."""
    return f"tests.service.faulty:engine:{file}"


def engine(file: str) -> FaultyEngine:
    return FaultyEngine(file)
