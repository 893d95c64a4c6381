"""An engine of a GPU day without GPUs: `tests.bench.gpu_engines:cramped:MESSAGE`."""

from pathlib import Path
from typing import Any

from bench.fakes import FakeEngine
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError


class Cramped(FakeEngine):
    """Its GPU has no memory left, and it opens no network."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{__name__}:cramped:{message}", 1)
        self._message = message

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        raise GpuMemoryError(f"{spec.name} needs 100 MiB; raise {self._message}")


def cramped(message: str) -> Cramped:
    return Cramped(message)
