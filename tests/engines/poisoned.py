"""`python -m tests.engines.poisoned`: ONNX Runtime, but some plain colours are poison to it.

`python -m tests.engines.poisoned COMMAND …` is the `emotions` command with that worker.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from engines.catalog import ModelSpec
from engines.errors import RunnerError
from engines.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.runner import Array, Feeds
from engines.worker import process
from engines.worker.lanes import run
from service.lane.__main__ import opener

RAISES, DIES, HANGS = (255, 255, 0), (255, 0, 255), (0, 255, 255)


class PoisonedRunner(OnnxRuntimeRunner):
    def infer(self, feeds: Feeds) -> dict[str, Array]:
        for item in feeds.get("images", ()):
            if np.array_equal(item[0, 0], RAISES):
                raise RunnerError("poison")
            if np.array_equal(item[0, 0], DIES):
                os.kill(os.getpid(), signal.SIGKILL)
            if np.array_equal(item[0, 0], HANGS):
                time.sleep(1000)
        return super().infer(feeds)


class Poisoned(OnnxRuntime):
    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        return PoisonedRunner(plan, spec)


def main() -> None:
    if sys.argv[1:2] not in (["serve"], ["predict"]):
        run(Poisoned, opener)
        return
    from service.__main__ import main as emotions  # noqa: PLC0415

    process.command = lambda *_: [sys.executable, "-m", "tests.engines.poisoned"]
    emotions()


if __name__ == "__main__":
    main()
