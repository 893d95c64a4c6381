"""`python -m bench.gpu` on a CPU, and with a fake of TensorRT and CUDA."""

from pathlib import Path
from typing import cast

import msgspec
import pytest

from bench.gpu.report import Measurement, report, rows
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.catalog import Catalog
from service.settings import Settings
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine

SMALL = Measurement(
    engines=["tensorrt", "onnxruntime"],
    precisions=["fp32"],
    models=["landmarks-64"],
    seconds=0.01,
    most=8,
    clients=2,
    scenes=["640x480, 1 face"],
)


def test_a_cpu_is_measured_and_the_other_engines_have_a_reason(plans: Path) -> None:
    lines = list(report(SMALL, Settings(plans=plans)))
    text = "\n".join(lines)
    assert "tensorrt does not run here" in text or "tensorrt | fp32" in text
    for batch in (1, 8):
        assert any(f"landmarks-64 | - | {batch} |" in line for line in lines)
    assert "| onnxruntime | fp32 |" in text
    assert any(line.startswith("| 640x480, 1 face |") for line in lines)


def test_graphs_and_streams_are_compared_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    monkeypatch.setattr(fake_tensorrt.ICudaEngine, "machine", machine, raising=False)
    engine = TensorRT("tensorrt", cast(Library, fake_tensorrt), (L4,), cuda=machine.cuda())
    spec = msgspec.structs.replace(Catalog.load().get("landmarks-64"), batches=(1, 4))
    lines = list(rows(engine, "fp32", spec, SMALL, Settings(plans=tmp_path)))
    assert len(lines) == 4 * 2
    assert "graphs, 2 streams | 4 |" in "".join(lines)
    assert "no graphs, 1 stream | 1 |" in "".join(lines)
