"""One network on a GPU that is not there: `fake_tensorrt` computes with ONNX Runtime."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import Catalog
from engines.probe_inputs import probe
from engines.types import Array
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine

SIZES = (1, 4, 16)
SPEC = msgspec.structs.replace(Catalog.load().get("landmarks-64"), batches=SIZES)
OUTPUT = (5, 2)
Events = list[tuple[str, int]]


def engine_on(machine: Machine, **options: Any) -> TensorRT:
    """The engine `tensorrt` on a fake GPU; `options` as for `TensorRT`."""
    library = cast(Library, fake_tensorrt.on(machine))
    return TensorRT("tensorrt", library, (L4,), cuda=machine.cuda(), **options)


@contextmanager
def opened(
    engine: TensorRT, plan: Path, sizes: tuple[int, ...] = SIZES
) -> Iterator[TensorRTRunner]:
    """Open the network with these batch sizes."""
    spec = msgspec.structs.replace(SPEC, batches=sizes)
    with engine.open(plan, spec) as runner:
        yield cast(TensorRTRunner, runner)


def faces(count: int) -> NDArray[np.uint8]:
    items = probe(SPEC)
    return np.concatenate([items, items[:, ::-1]])[:count]


def offsets(runner: TensorRTRunner, count: int) -> Array:
    """The answers for so many faces."""
    found: Array = runner.infer({"faces": faces(count)})["offsets"]
    return found


def of(events: Events, *names: str) -> Events:
    """The calls with one of these names."""
    return [event for event in events if event[0] in names]
