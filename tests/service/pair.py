"""An engine with two GPUs without computation: the first finds one face, the second two."""

import os

from bench.fakes import FakeEngine
from engines.gpus import VISIBLE, Gpu

NAME = "tests.service.pair:engine:x"
GPUS = tuple(Gpu(f"GPU-{faces}", "a fake GPU", "0.0", 1 << 30) for faces in (1, 2))


class Pair(FakeEngine):
    def __init__(self, faces: int = 0) -> None:
        super().__init__(NAME, faces)

    def gpus(self) -> tuple[Gpu, ...]:
        return GPUS


def engine(_: str) -> Pair:
    """The engine in a device process, for the GPU that CUDA sees there."""
    return Pair(int(os.environ[VISIBLE].removeprefix("GPU-")))
