"""The GPU benchmark runs on a CPU too, small; so it will run when there is a GPU."""

from pathlib import Path
from typing import cast

import msgspec
import pytest

from bench import gpu
from engines.backends.tensorrt.build import Library
from engines.backends.tensorrt.engine import TensorRT
from engines.catalog import Catalog
from service.settings import Settings
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import Machine

SMALL = gpu.Given(
    engines=["tensorrt", "onnxruntime"],
    precisions=["fp32"],
    models=["emotion-fer48"],
    seconds=0.01,
    most=8,
    clients=2,
    scenes=["640x480, 1 face"],
    out=None,
)


def test_it_measures_what_runs_here_and_says_what_does_not(plans: Path) -> None:
    lines = list(gpu.report(SMALL, Settings(plans=plans)))
    text = "\n".join(lines)
    assert "tensorrt does not run here" in text or "tensorrt | fp32" in text
    for batch in (1, 8):
        assert any(f"emotion-fer48 | - | {batch} |" in line for line in lines)
    assert "| onnxruntime | fp32 |" in text
    assert any(line.startswith("| 640x480, 1 face |") for line in lines)


def test_it_compares_graphs_and_streams_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    monkeypatch.setattr(fake_tensorrt.ICudaEngine, "machine", machine, raising=False)
    engine = TensorRT("tensorrt", cast(Library, fake_tensorrt), machine.cuda())
    spec = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=(1, 4))
    rows = list(gpu._rows(engine, "fp32", spec, SMALL, Settings(plans=tmp_path)))
    assert len(rows) == 4 * 2
    assert "graphs, 2 streams | 4 |" in "".join(rows)
    assert "no graphs, 1 stream | 1 |" in "".join(rows)
