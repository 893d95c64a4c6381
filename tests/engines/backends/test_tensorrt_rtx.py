"""TensorRT-RTX's real parser and builder on every network, without a GPU.

Each network is compiled in one precision by default, and in all of them with `--all`.
"""

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from engines import build
from engines.backends.tensorrt.build import parsed
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library, logger
from engines.catalog import Catalog, ModelSpec, Precision
from engines.errors import EngineError, GpuMissingError, PlanMissingError
from engines.graph import calibration
from engines.graph.precision import convert
from engines.probe_inputs import probe
from tests.engines import seeded

if TYPE_CHECKING:
    import tensorrt as trt

rtx = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed here")
LIBRARY = cast(Library, rtx)
ADA = "8.9"
OUTPUTS: dict[str, dict[str, tuple[int | None, ...]]] = {
    "detector": {"scores": (-1, 1000), "boxes": (-1, 1000, 4), "landmarks": (-1, 1000, 5, 2)},
    "landmarks": {"offsets": (-1, 5, 2)},
    "emotion": {"scores": (-1, 7)},
    "embedder": {"embedding": (-1, None)},
}
# The catalog's other entries are the same networks, from files that are not in the repository.
DEFAULTS = {
    ("retinaface-mnet025", "fp16"),
    ("retinaface-mnet025-1280", "fp16"),
    ("retinaface-mnet025-1280x736", "fp16"),
    ("retinaface-r50", "fp32"),
    ("landmarks-64", "int8"),
    ("emotion-fer48", "fp16"),
    ("arcface-mobilefacenet", "fp32"),
    ("arcface-r50", "fp32"),
    ("arcface-r100", "fp16"),
}
# To calibrate these, hundreds of images run through them: minutes on a small machine.
LARGE = {"retinaface-r50", "arcface-r50", "arcface-r100"}
CASES = [
    pytest.param(name, kind, marks=() if (name, kind) in DEFAULTS else pytest.mark.slow)
    for name, _ in sorted(DEFAULTS)
    for kind in ("fp32", "fp16", "int8")
]


@pytest.fixture(scope="module")
def engine() -> TensorRT:
    return TensorRT("tensorrt-rtx", LIBRARY, (), capability=ADA, why_no_gpu="there is no GPU")


def shapes(tensors: "list[trt.ITensor]") -> dict[str, tuple[int, ...]]:
    return {tensor.name: tuple(tensor.shape) for tensor in tensors}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "precision"), CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_network_builds(
    engine: TensorRT,
    name: str,
    precision: Precision,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = Catalog.load().get(name)
    if name in LARGE:
        _calibrate_with_one(spec, monkeypatch)
    model = convert(seeded.graph(spec), spec, precision)
    network = parsed(LIBRARY, rtx.Builder(logger(LIBRARY)), model)
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    assert shapes(inputs) == {spec.input_name: (-1, *spec.input_shape)}
    assert [tensor.dtype for tensor in inputs] == [rtx.DataType.UINT8]
    assert {tensor.dtype for tensor in outputs} == {rtx.DataType.FLOAT}
    for output, promised in OUTPUTS[spec.task].items():
        found = shapes(outputs)[output]
        assert len(found) == len(promised)
        assert all(want in {None, have} for want, have in zip(promised, found, strict=True))
    phases: list[str] = []
    plan = engine.compile(model, spec, tmp_path, lambda phase, step, steps: phases.append(phase))
    assert len(plan) > 1 << 20
    assert "Building engine" in phases


def _calibrate_with_one(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "samples", lambda *_: iter(probe(spec)[:1]))


def test_a_plan_that_cannot_be_run_is_refused_by_the_service(
    engine: TensorRT, tmp_path: Path
) -> None:
    spec = Catalog.load().get("landmarks-64")
    built = build.build(spec, engine, tmp_path, precision="fp16")
    assert built.sidecar.parity is None
    assert built.sidecar.fingerprint.identity == {
        "library": f"tensorrt-rtx {rtx.__version__}",
        "compute_capability": ADA,
    }
    assert not build.build(spec, engine, tmp_path, precision="fp16").fresh
    with pytest.raises(PlanMissingError, match="never verified"):
        build.find(spec, engine, tmp_path, "fp16")
    with pytest.raises(GpuMissingError, match="needs a GPU"):
        engine.open(built.path, spec)


def test_an_interrupted_build_leaves_nothing_that_loads(engine: TensorRT, tmp_path: Path) -> None:
    spec = Catalog.load().get("landmarks-64")

    def interrupt(phase: str, step: int, steps: int) -> None:
        if phase and step < steps:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        build.build(spec, engine, tmp_path, report=interrupt)
    assert not list((tmp_path / "tensorrt-rtx").glob("[!.]*"))


def test_tensorrt_rtx_has_the_names_that_tensorrt_lacks() -> None:
    """No type-checker sees these: the stubs are TensorRT's."""
    assert rtx.DynamicShapesKernelSpecializationStrategy.EAGER
    config = rtx.IRuntimeConfig
    assert isinstance(config.dynamic_shapes_kernel_specialization_strategy, property)
    assert "strategy" in config.set_execution_context_allocation_strategy.__doc__
    assert "runtime_config" in rtx.ICudaEngine.create_execution_context.__doc__
    assert "memory" in rtx.IExecutionContext.set_device_memory.__doc__
    assert hasattr(rtx.ICudaEngine, "get_device_memory_size_for_profile_v2")
    for name in ("execute_async_v3", "set_input_shape", "infer_shapes", "set_tensor_address"):
        assert hasattr(rtx.IExecutionContext, name)


def test_an_operator_that_the_parser_does_not_know_is_named(
    engine: TensorRT, tmp_path: Path
) -> None:
    spec = Catalog.load().get("landmarks-64")
    model = seeded.graph(spec)
    model.graph.node[-1].op_type = "Unheard"
    with pytest.raises(EngineError, match="Unheard"):
        engine.compile(model, spec, tmp_path, lambda *_: None)


def test_another_compute_capability_is_another_plan(engine: TensorRT, tmp_path: Path) -> None:
    spec = Catalog.load().get("landmarks-64")
    build.build(spec, engine, tmp_path)
    with pytest.raises(PlanMissingError):
        build.find(spec, TensorRT("tensorrt-rtx", LIBRARY, ()), tmp_path)
    unknown = TensorRT("tensorrt-rtx", LIBRARY, (), capability="9.0")
    with pytest.raises(EngineError, match=r"9\.0; it does for .*SM89"):
        build.build(spec, unknown, tmp_path)
