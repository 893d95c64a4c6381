"""Engines with several GPUs that exist by name only: `tests.service.gpus:FACTORY:ARGUMENT`.

Without computation: `pair` has two equal GPUs, `three` has three that can be lost, `unequal` has a
fast one and a slow one. The first GPU finds one face in each image, the second two, and so on.
`kinds` has GPUs of two kinds, which need different plans; ONNX Runtime runs them. `fastest` chooses
between `kinds` and another engine.
"""

import os
from pathlib import Path

from bench.fakes import FakeEngine
from bench.fakes.device import Cost
from engines.backends.onnxruntime import OnnxRuntime
from engines.errors import GpuMissingError
from engines.gpus import VISIBLE, Gpu

MODULE = __name__
L4, SLICE = "NVIDIA L4", "NVIDIA A100-SXM4-40GB MIG 1g.5gb"
GPUS = tuple(Gpu(f"GPU-{number}", L4, "8.9", 24 << 30) for number in (1, 2, 3))
KINDS = GPUS[0], Gpu("MIG-1", SLICE, "8.0", 5 << 30), GPUS[1]
FAST, SLOW = Cost(1, 0), Cost(100, 0)


class Gpus(FakeEngine):
    """Equal GPUs without computation; in a device process, the one that CUDA sees there."""

    def __init__(self, origin: str, count: int, costs: tuple[Cost, ...] = ()) -> None:
        number = next((n for n, gpu in enumerate(GPUS) if gpu.uuid == visible()), 0)
        super().__init__(f"{MODULE}:{origin}", number + 1, costs[number] if costs else None)
        self._gpus = GPUS[:count]

    def gpus(self) -> tuple[Gpu, ...]:
        return allowed(self._gpus)


class Kinds(OnnxRuntime):
    """GPUs of two kinds: plans are named by the kind of the first GPU."""

    origin = f"{MODULE}:kinds:x"

    def __init__(self, gpus: tuple[Gpu, ...]) -> None:
        self._gpus = gpus

    def gpus(self) -> tuple[Gpu, ...]:
        return self._gpus

    def on(self, gpu: Gpu) -> "Kinds":
        return Kinds((gpu,))

    def identity(self) -> dict[str, str]:
        return super().identity() | {"gpu": self._gpus[0].name}


class ForSlices(Kinds):
    """An engine with other plans."""

    suffix = ".slices"


def visible() -> str | None:
    """Return what `CUDA_VISIBLE_DEVICES` has; in a device process that is one UUID."""
    return os.environ.get(VISIBLE)


def allowed(gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Return the GPUs that `CUDA_VISIBLE_DEVICES` allows, as `engines.gpus.visible` does."""
    wanted = visible()
    return tuple(gpu for gpu in gpus if wanted is None or gpu.uuid in wanted.split(","))


def pair(_: str) -> Gpus:
    return Gpus("pair:x", 2)


def three(folder: str) -> Gpus:
    """Three GPUs; one is lost while `folder` has a file with its UUID."""
    lost = Path(folder) / (visible() or "none")
    if lost.exists():
        raise GpuMissingError(f"{lost.name} is lost")
    return Gpus(f"three:{folder}", 3)


def unequal(_: str) -> Gpus:
    return Gpus("unequal:x", 2, (FAST, SLOW))


def kinds(_: str) -> Kinds:
    return Kinds(allowed(KINDS))


def fastest(_: str) -> Kinds:
    """Return, as `auto` may, another engine where there are only slices."""
    gpus = allowed(KINDS)
    return Kinds(gpus) if L4 in {gpu.name for gpu in gpus} else ForSlices(gpus)
