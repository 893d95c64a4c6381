"""ONNX Runtime, except that images of some plain colours make it fail.

`python -m tests.engines.poisoned COMMAND …` is the `emotions` command with this engine.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np

from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.catalog import ModelSpec
from engines.errors import RunnerError
from engines.types import Array, Feeds

NAME = "tests.engines.poisoned:engine:x"
RAISES, DIES, HANGS = (255, 255, 0), (255, 0, 255), (0, 255, 255)


def take_effect(feeds: Feeds) -> None:
    """Fail, kill this process or hang if the first pixel of an image has one of the colours."""
    for item in feeds.get("images", ()):
        if np.array_equal(item[0, 0], RAISES):
            raise RunnerError("poison")
        if np.array_equal(item[0, 0], DIES):
            os.kill(os.getpid(), signal.SIGKILL)
        if np.array_equal(item[0, 0], HANGS):
            time.sleep(1000)


class PoisonedRunner(OnnxRuntimeRunner):
    def infer(self, feeds: Feeds) -> dict[str, Array]:
        take_effect(feeds)
        return super().infer(feeds)


class Poisoned(OnnxRuntime):
    origin = NAME

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        return PoisonedRunner(plan, spec)


def engine(_: str) -> Poisoned:
    return Poisoned()


def main() -> None:
    from offline.cli.__main__ import main as emotions  # noqa: PLC0415  (a worker has no need of it)

    os.environ["EMOTIONS_ENGINE"] = NAME
    emotions()


if __name__ == "__main__":
    main()
