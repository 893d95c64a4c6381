"""The times of networks by batch size, on a fake of TensorRT and CUDA."""

from pathlib import Path
from typing import cast

import msgspec
import pytest

from bench.gpu.day import Day
from bench.gpu.networks import one
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.build import build
from engines.catalog import Catalog
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine


def test_graphs_and_streams_are_compared_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(tmp_path))
    machine = Machine()
    monkeypatch.setattr(fake_tensorrt.ICudaEngine, "machine", machine, raising=False)
    engine = TensorRT("tensorrt", cast(Library, fake_tensorrt), (L4,), cuda=machine.cuda())
    spec = msgspec.structs.replace(Catalog.load().get("landmarks-64"), batches=(1, 4))
    build(spec, engine, tmp_path, precision="fp32")
    found = list(one(engine, "fp32", spec, Day(seconds=0.01, most=8)))
    modes = [figure.name.removeprefix("tensorrt, fp32, landmarks-64, ") for figure in found]
    assert modes == [
        f"{graphs}, {streams}, batch {batch}"
        for graphs in ("graphs", "no graphs")
        for streams in ("2 streams", "1 stream")
        for batch in (1, 4)
    ]
    assert all(figure.values.keys() >= {"ms", "items_per_s", "share"} for figure in found)
