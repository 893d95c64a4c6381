"""TensorRT's engine and runner on a fake GPU: batch sizes, streams, graphs, errors, recovery."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines import build, select
from engines.backends.onnxruntime import OnnxRuntimeRunner
from engines.backends.tensorrt import engine as engine_module
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.backends.tensorrt.pieces import pieces
from engines.backends.tensorrt.runner import TensorRTRunner
from engines.catalog import Catalog, ModelSpec, Precision
from engines.errors import (
    EngineError,
    GpuMissingError,
    PlanDamagedError,
    PlanMissingError,
    RunnerError,
)
from engines.gpus import Gpu
from engines.probe_inputs import probe
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine

FAKE = cast(Library, fake_tensorrt)
SIZES = (1, 4, 16)
NAME = "landmarks-64"
OUTPUT = (5, 2)


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return msgspec.structs.replace(Catalog.load().get(NAME), batches=SIZES)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(fake_tensorrt.ICudaEngine, "machine", made, raising=False)
    return made


@pytest.fixture
def engine(machine: Machine) -> TensorRT:
    return TensorRT("tensorrt", FAKE, (L4,), cuda=machine.cuda(), streams=2)


@pytest.fixture(scope="module")
def built(spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> build.Built:
    machine = Machine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_tensorrt.ICudaEngine, "machine", machine, raising=False)
        engine = TensorRT("tensorrt", FAKE, (L4,), cuda=machine.cuda())
        return build.build(spec, engine, tmp_path_factory.mktemp("plans"))


@pytest.fixture
def runner(spec: ModelSpec, engine: TensorRT, built: build.Built) -> Iterator[TensorRTRunner]:
    with engine.open(built.path, spec) as opened:
        yield cast(TensorRTRunner, opened)


def faces(count: int) -> NDArray[np.uint8]:
    items = probe(Catalog.load().get(NAME))
    return np.concatenate([items, items[:, ::-1]])[:count]


def of(events: list[tuple[str, int]], *names: str) -> list[tuple[str, int]]:
    return [event for event in events if event[0] in names]


def test_a_build_is_verified_and_found(
    spec: ModelSpec, engine: TensorRT, built: build.Built
) -> None:
    folder = built.path.parents[1]
    assert built.sidecar.parity is not None
    assert built.sidecar.parity["landmark"] < 1e-3
    assert built.sidecar.fingerprint.identity == {
        "library": "tensorrt 10.16.1",
        "gpu": "NVIDIA L4",
        "compute_capability": "8.9",
    }
    assert not build.build(spec, engine, folder).fresh
    with pytest.raises(PlanMissingError):
        build.find(spec, engine.on(L4._replace(name="NVIDIA H200")), folder)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 15, 16, 17, 20, 40])
def test_every_batch_equals_the_reference_row_by_row(
    spec: ModelSpec, built: build.Built, runner: TensorRTRunner, tmp_path: Path, count: int
) -> None:
    assert built.fresh
    items = faces(count)
    plain = tmp_path / "plain.onnx"
    plain.write_bytes(built.path.read_bytes().partition(b"\n")[2])
    with OnnxRuntimeRunner(plain, spec) as reference:
        expected = reference.infer({"faces": items})["offsets"]
    actual = runner.infer({"faces": items})["offsets"]
    assert actual.shape == (count, *OUTPUT)
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@given(rows=st.integers(1, 200), buckets=st.sets(st.integers(2, 64), max_size=4))
def test_pieces_hold_every_row_once(rows: int, buckets: set[int]) -> None:
    sizes = (1, *sorted(buckets))
    cut = pieces(rows, sizes)
    assert sum(taken for taken, _ in cut) == rows
    assert all(0 < taken <= bucket and bucket in sizes for taken, bucket in cut)
    alone = rows % sizes[-1] or sizes[-1]
    padded = next(size for size in sizes if size >= alone)
    assert sum(bucket for _, bucket in cut) <= rows - alone + padded
    assert len(cut) <= rows // sizes[-1] + 2


def test_pieces_for_the_batch_sizes_of_faces() -> None:
    sizes = (1, 8, 32, 128, 512)
    assert pieces(3, sizes) == [(3, 8)]
    assert pieces(9, sizes) == [(8, 8), (1, 1)]
    assert pieces(64, sizes) == [(32, 32), (32, 32)]
    assert pieces(100, sizes) == [(100, 128)]
    assert pieces(1100, sizes) == [(512, 512), (512, 512), (76, 128)]


def test_only_real_rows_are_copied(runner: TensorRTRunner, machine: Machine) -> None:
    machine.events.clear()
    runner.infer({"faces": faces(3)})
    assert of(machine.events, "download") == [("download", 3 * 10 * 4)]


def test_buffers_are_made_once(runner: TensorRTRunner, machine: Machine) -> None:
    machine.events.clear()
    for count in (1, 16, 40):
        runner.infer({"faces": faces(count)})
    assert not of(machine.events, "allocate", "pin", "stream")


def test_the_second_stream_is_filled_before_the_first_is_awaited(
    runner: TensorRTRunner, machine: Machine
) -> None:
    machine.events.clear()
    runner.infer({"faces": faces(48)})
    order = [(name, number) for name, number in machine.events if name in {"upload", "synchronize"}]
    first, second = order[0][1], order[1][1]
    assert first != second
    assert order == [
        ("upload", first),
        ("upload", second),
        ("synchronize", first),
        ("upload", first),
        ("synchronize", second),
        ("synchronize", first),
    ]


def test_rows_in_the_runners_own_memory_give_the_same_answers(runner: TensorRTRunner) -> None:
    for count in (1, 3, 16, 40):  # the last is more than its memory holds
        items = faces(count)
        own = runner.input_buffer(items.shape, items.dtype)
        own[...] = items
        found = runner.infer({"faces": own})["offsets"]
        np.testing.assert_array_equal(found, runner.infer({"faces": items})["offsets"])


def test_rows_that_fit_a_batch_go_to_pinned_memory(runner: TensorRTRunner) -> None:
    one, other = (runner.input_buffer((4, 64, 64, 3), np.dtype(np.uint8)) for _ in range(2))
    assert np.shares_memory(one, other)


def test_every_batch_size_is_captured_and_launched(
    runner: TensorRTRunner, machine: Machine
) -> None:
    assert runner.graphs == 2 * len(SIZES)
    machine.events.clear()
    runner.infer({"faces": faces(16)})
    assert len(of(machine.events, "launch")) == 1
    assert not of(machine.events, "execute")


def test_a_batch_size_that_cannot_be_captured_runs_without_a_graph(
    spec: ModelSpec, engine: TensorRT, built: build.Built, machine: Machine
) -> None:
    machine.capturable = False
    with engine.open(built.path, spec) as opened:
        assert cast(TensorRTRunner, opened).graphs == 0
        machine.events.clear()
        opened.infer({"faces": faces(16)})
    assert of(machine.events, "execute") == [("execute", 16)]


def test_an_engine_can_run_without_graphs(
    spec: ModelSpec, built: build.Built, machine: Machine
) -> None:
    plain = TensorRT("tensorrt", FAKE, (L4,), cuda=machine.cuda(), graphs=False)
    with plain.open(build.find(spec, plain, built.path.parents[1])[0], spec) as opened:
        assert cast(TensorRTRunner, opened).graphs == 0
    assert built.fresh


@pytest.mark.parametrize("call", ["upload", "launch", "download", "synchronize"])
def test_an_error_of_the_device_is_a_runner_error(
    runner: TensorRTRunner, machine: Machine, call: str
) -> None:
    if call == "launch":
        machine.dead.add(0)
    else:
        machine.failures.append(call)
    with pytest.raises(RunnerError, match="the GPU failed"):
        runner.infer({"faces": faces(2)})


def test_a_dead_context_is_reset_when_a_runner_is_opened_again(
    spec: ModelSpec, engine: TensorRT, built: build.Built, machine: Machine
) -> None:
    with engine.open(built.path, spec) as broken:
        machine.dead.add(0)
        with pytest.raises(RunnerError):
            broken.infer({"faces": faces(2)})
    assert not machine.stack
    with engine.open(built.path, spec) as again:
        assert again.infer({"faces": faces(2)})["offsets"].shape == (2, *OUTPUT)
    assert machine.resets == 1


def test_a_failure_without_a_dead_context_resets_nothing(
    spec: ModelSpec, engine: TensorRT, built: build.Built, machine: Machine
) -> None:
    machine.failures.append("allocate")
    with pytest.raises(RunnerError, match="allocate failed"):
        engine.open(built.path, spec)
    assert machine.resets == 0
    assert not machine.memory
    assert not machine.stack


def test_no_memory_for_a_context_is_a_runner_error(
    spec: ModelSpec, engine: TensorRT, built: build.Built, machine: Machine
) -> None:
    machine.failures.append("context")
    with pytest.raises(RunnerError, match="memory full"):
        engine.open(built.path, spec)
    assert not machine.memory


def test_a_closed_runner_leaves_nothing(
    spec: ModelSpec, engine: TensorRT, built: build.Built, machine: Machine
) -> None:
    with engine.open(built.path, spec):
        assert machine.memory
    assert not machine.memory
    assert not machine.pinned
    assert not machine.graphs
    assert not machine.stack


@pytest.mark.parametrize(
    "feeds",
    [
        {"images": np.zeros((1, 64, 64, 3), np.uint8)},
        {"faces": np.zeros((1, 64, 64, 3), np.float32)},
        {"faces": np.zeros((1, 64, 63, 3), np.uint8)},
    ],
)
def test_wrong_feeds_are_named(runner: TensorRTRunner, feeds: dict[str, Any]) -> None:
    with pytest.raises(RunnerError, match="faces must be uint8"):
        runner.infer(feeds)


def test_a_plan_of_something_else_is_refused(
    spec: ModelSpec, engine: TensorRT, tmp_path: Path, machine: Machine
) -> None:
    other = tmp_path / "other.plan"
    other.write_bytes(b"something else")
    with pytest.raises(PlanDamagedError, match=f"--force {NAME}"):
        engine.open(other, spec)
    assert not machine.stack


def test_an_engine_for_another_gpu_names_other_plans(machine: Machine) -> None:
    other = Gpu("GPU-2", "NVIDIA H200", "9.0", 1 << 37)
    engine = TensorRT("tensorrt", FAKE, (L4, other), cuda=machine.cuda())
    assert engine.gpus() == (L4, other)
    assert engine.on(other).gpus() == (other,)
    assert engine.identity()["gpu"] == "NVIDIA L4"
    assert engine.on(other).identity()["gpu"] == "NVIDIA H200"
    assert engine.on(other).identity()["compute_capability"] == "9.0"


def test_another_network_gives_the_same_alone_as_in_a_batch(
    engine: TensorRT, tmp_path: Path
) -> None:
    emotion = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=SIZES)
    built = build.build(emotion, engine, tmp_path)
    assert built.sidecar.parity is not None
    items = probe(emotion)
    with engine.open(built.path, emotion) as opened:
        together = opened.infer({"faces": items})["scores"]
        alone = [opened.infer({"faces": item[None]})["scores"] for item in items]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)


def test_the_timing_cache_is_kept_until_it_is_of_another_gpu(
    spec: ModelSpec, engine: TensorRT, tmp_path: Path
) -> None:
    cache = build.build(spec, engine, tmp_path).path.parent / "timing.cache"
    assert cache.read_bytes() == b"t"
    build.build(spec, engine, tmp_path, force=True)
    assert cache.read_bytes() == b"tt"
    cache.write_bytes(b"other GPU")
    build.build(spec, engine, tmp_path, force=True)
    assert cache.read_bytes() == b"t"


def test_a_build_that_is_stopped_leaves_nothing(
    spec: ModelSpec, engine: TensorRT, tmp_path: Path
) -> None:
    def stop(phase: str, step: int, steps: int) -> None:
        assert phase == "Building engine"
        if step < steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.build(spec, engine, tmp_path, report=stop)
    assert not list((tmp_path / "tensorrt").glob("[!.]*"))


def test_without_a_gpu_a_plan_is_built_and_not_verified(
    spec: ModelSpec, machine: Machine, tmp_path: Path
) -> None:
    class Elsewhere(TensorRT):
        def identity(self) -> dict[str, str]:
            return {"library": "one for all"}

        def obstacle(self) -> str | None:
            return "there is no GPU" if self._cuda is None else None

    built = build.build(spec, Elsewhere("tensorrt", FAKE, ()), tmp_path)
    assert built.sidecar.parity is None
    here = Elsewhere("tensorrt", FAKE, (L4,), cuda=machine.cuda())
    with pytest.raises(PlanMissingError, match="never verified"):
        build.find(spec, here, tmp_path)
    again = build.build(spec, here, tmp_path)
    assert not again.fresh
    assert again.sidecar.parity is not None
    assert build.find(spec, here, tmp_path)[0] == built.path


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_other_precisions_are_verified_within_their_limits(
    spec: ModelSpec, engine: TensorRT, tmp_path: Path, precision: Precision
) -> None:
    built = build.build(spec, engine, tmp_path, precision=precision)
    assert built.sidecar.parity is not None
    assert built.sidecar.fingerprint.precision == precision


def test_an_engine_chosen_by_name_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> tuple[Gpu, ...]:
        raise GpuMissingError("there is no GPU")

    monkeypatch.setattr(select, "visible", missing)
    found = select.choose("auto")
    assert found.engine.name in {"openvino", "onnxruntime"}
    assert found.reason.startswith("there is no GPU; OpenVINO is ")
    assert select.choose("onnxruntime").reason == "chosen by name"
    with pytest.raises(GpuMissingError):
        select.load_engine("tensorrt")


def test_auto_takes_tensorrt_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (select, engine_module):
        monkeypatch.setattr(module, "visible", lambda: (L4,))
    monkeypatch.setattr(engine_module, "check_installed", lambda: None)
    monkeypatch.setitem(sys.modules, "tensorrt", fake_tensorrt)
    found = select.choose("auto")
    assert found.engine.name == "tensorrt"
    assert "GPU" in found.reason
    monkeypatch.setattr(fake_tensorrt, "__version__", "10.11.0")
    with pytest.raises(EngineError, match=r"10\.12 to 11"):
        select.load_engine("tensorrt")
