"""Engines of a GPU day without GPUs: `tests.bench.gpu_engines:FACTORY:ARGUMENT`."""

import os
from pathlib import Path
from typing import Any

from bench.fakes import FakeEngine
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError
from engines.gpus import VISIBLE, Gpu

PAIR = tuple(Gpu(f"GPU-{number}", "NVIDIA L4", "8.9", 24 << 30) for number in (1, 2))


class Cramped(FakeEngine):
    """Its GPU has no memory left, and it opens no network."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{__name__}:cramped:{message}", 1)
        self._message = message

    def open(self, plan: Path, spec: ModelSpec) -> Any:  # noqa: ARG002
        raise GpuMemoryError(f"{spec.name} needs 100 MiB; raise {self._message}")


class Pair(FakeEngine):
    """Those of two GPUs that CUDA may use."""

    def gpus(self) -> tuple[Gpu, ...]:
        wanted = os.environ.get(VISIBLE)
        return tuple(gpu for gpu in PAIR if wanted is None or gpu.uuid in wanted.split(","))


def cramped(message: str) -> Cramped:
    return Cramped(message)


def pair(_: str) -> Pair:
    return Pair(f"{__name__}:pair:x", 1)
