"""A GPU whose context dies under a request: readiness falls, and answers go on."""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from engines import build
from engines.catalog import Catalog
from engines.tensorrt import TensorRT
from engines.tensorrt_build import Library
from engines.verify import probe
from service.errors import InferenceFailed
from service.pipeline import rows_of
from service.staged import NetworkBatcher
from tests.engines import fake_tensorrt
from tests.engines.fake_cuda import Machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(fake_tensorrt.ICudaEngine, "machine", made, raising=False)
    return made


@pytest.fixture
def batcher(machine: Machine, tmp_path: Path) -> NetworkBatcher:
    engine = TensorRT("tensorrt", cast(Library, fake_tensorrt), machine.cuda())
    spec = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=(1, 4))
    path = build.build(spec, engine, tmp_path).path
    opened = partial(rows_of, partial(engine.open, path, spec), "faces", np.zeros((48, 48), "u1"))
    return NetworkBatcher(
        "emotion", opened, workers=engine.workers(), max_batch=engine.batch(spec), capacity=64
    )


async def until(ready: bool, batcher: NetworkBatcher) -> None:
    async with asyncio.timeout(20):
        while batcher.ready != ready:  # noqa: ASYNC110  (threads change it)
            await asyncio.sleep(0.005)


async def test_answers_go_on_after_a_dead_context(
    machine: Machine, batcher: NetworkBatcher
) -> None:
    faces = list(probe(Catalog.load().get("emotion-fer48")))
    batcher.start()
    try:
        await until(True, batcher)
        before = await batcher.submit_all(faces, time.monotonic() + 60)
        machine.dead.add(0)
        again = asyncio.ensure_future(batcher.submit_all(faces, time.monotonic() + 60))
        await until(False, batcher)
        after = await again
        await until(True, batcher)
    finally:
        await asyncio.to_thread(batcher.close)
    assert machine.resets == 1
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old["scores"], new["scores"])


async def test_a_gpu_that_stays_dead_leaves_the_service_unready(
    machine: Machine, batcher: NetworkBatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = probe(Catalog.load().get("emotion-fer48"))[0]
    batcher.start()
    try:
        await until(True, batcher)
        monkeypatch.setattr("engines.device.Cuda.reset", lambda *_: None)
        machine.dead.add(0)
        with pytest.raises(InferenceFailed):
            await batcher.submit(face, time.monotonic() + 60)
        await asyncio.sleep(0.5)
        assert not batcher.ready
        machine.dead.discard(0)
        await until(True, batcher)
    finally:
        await asyncio.to_thread(batcher.close)
