"""NVIDIA Triton through pytriton: `python -m bench.peers.triton_server PORT`.

Its best settings here: one inference function per core, each with its own networks in its own
thread; no batching (on a CPU a batch costs as much as its items, docs/adr/0004); binary tensors for
JPEG and answer over HTTP, which are copied through shared memory and never parsed; no gRPC, no
metrics. Its Python backend is built for NumPy 1: with NumPy 2 tensors arrive empty. So it also gets
an OpenCV for NumPy 1.
"""

import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from bench.limit.work import Work
from engines import cpu


def function() -> Callable[[list[Any]], list[dict[str, Any]]]:
    """An inference function; the thread that calls it opens its networks at the first call."""
    own = threading.local()

    def infer(requests: list[Any]) -> list[dict[str, Any]]:
        if not hasattr(own, "work"):
            own.work = Work.by_environment()
        found = [own.work.answer(request["image"].tobytes()) for request in requests]
        return [{"answer": np.frombuffer(msgspec.json.encode(each), np.uint8)} for each in found]

    return infer


if __name__ == "__main__":
    config = TritonConfig(http_port=int(sys.argv[1]), allow_grpc=False, allow_metrics=False)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="emotions",
            infer_func=[function() for _ in range(cpu.available())],
            inputs=[Tensor(name="image", dtype=np.uint8, shape=(-1,))],
            outputs=[Tensor(name="answer", dtype=np.uint8, shape=(-1,))],
            config=ModelConfig(batching=False),
            strict=False,
        )
        triton.serve()
