"""A fake GPU, an engine with two streams on it, a plan, and a runner of the plan."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import build
from engines.backends.onnxruntime import OnnxRuntimeRunner
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import SPEC, engine_on, faces, opened


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def engine(machine: Machine) -> TensorRT:
    return engine_on(machine, streams=2)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> build.Built:
    return build.build(SPEC, engine_on(Machine()), tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="session")
def plan(built: build.Built) -> Path:
    return built.path


@pytest.fixture
def runner(engine: TensorRT, plan: Path) -> Iterator[TensorRTRunner]:
    with opened(engine, plan) as found:
        yield found


@pytest.fixture(scope="session")
def expected(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Array:
    """The answers of the network for 40 faces, by ONNX Runtime alone."""
    plain = tmp_path_factory.mktemp("graph") / "plain.onnx"
    plain.write_bytes(plan.read_bytes().partition(b"\n")[2])
    with OnnxRuntimeRunner(plain, SPEC) as reference:
        found: Array = reference.infer({"faces": faces(40)})["offsets"]
    return found
