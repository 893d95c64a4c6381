"""OpenVINO against the reference on real faces; batches, precisions, and what `auto` takes."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engines import build, cpu, parity, select
from engines.backends.onnxruntime import OnnxRuntimeRunner
from engines.catalog import Precision
from engines.errors import (
    EngineError,
    GpuMissingError,
    LibraryMissingError,
    PlanDamagedError,
    RunnerError,
)
from engines.gpus import Gpu
from engines.graph.precision import WEIGHTED, convert, exact, wants_bfloat16
from engines.select import choose, load_engine
from engines.types import Runner
from tests.engines.graphs import SHIPPED, graph, photographed, spec_of

pytest.importorskip("openvino", reason="the extra openvino is not installed")

from engines.backends.openvino import build as openvino_build
from engines.backends.openvino.engine import OpenVino
from engines.backends.openvino.runner import CompiledNetworks, OpenVinoRunner

EMOTION, LANDMARKS = "emotion-fer48", "landmarks-64"


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openvino")


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def runner(plans: Path, request: pytest.FixtureRequest) -> Runner:
    skip_where_unknown(request.param)
    built = build.build(spec_of(LANDMARKS), OpenVino(), plans, precision=request.param)
    return OpenVino().open(built.path, spec_of(LANDMARKS))


def skip_where_unknown(precision: Precision) -> None:
    if precision not in OpenVino().precisions:
        pytest.skip(f"this CPU does not compute in {precision}")


def with_instructions(monkeypatch: pytest.MonkeyPatch, *added: str) -> None:
    here = cpu.instructions() - {"avx512_bf16", "amx_bf16"}
    monkeypatch.setattr(cpu, "instructions", lambda: here | set(added))


@pytest.mark.parametrize(
    ("name", "precision"),
    [(name, precision) for name in SHIPPED for precision in ("fp32", "bf16")]
    + [(LANDMARKS, "int8"), pytest.param(EMOTION, "int8", marks=pytest.mark.slow)],
)
def test_photographs_give_what_the_reference_gives(
    name: str, precision: Precision, plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_where_unknown(precision)
    spec, plain = spec_of(name), graph(name)
    built = build.build(spec, OpenVino(), plans, precision=precision)
    assert built.sidecar.parity
    monkeypatch.setattr(parity, "probe", photographed)
    with OpenVino().open(built.path, spec) as plan, build.reference(spec, plain) as reference:
        parity.check(spec, plan, reference, precision)


@pytest.mark.parametrize(
    ("name", "height"),
    [(LANDMARKS, 64), pytest.param(EMOTION, 48, marks=pytest.mark.slow)],
)
def test_batch_sizes_that_change_bits_are_left_out_of_the_plan(
    name: str, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, plain = spec_of(name), graph(name)
    sizes = openvino_build.compiled(plain, spec, lambda *_: None).compiled
    assert sizes.keys() == {(1, height), (8, height)}
    small = msgspec.structs.replace(spec, batches=(1, 4))
    assert openvino_build.compiled(plain, small, lambda *_: None).compiled.keys() == {(1, height)}
    noise = iter(np.random.default_rng(0).random(1000))
    infer = OpenVinoRunner.infer
    monkeypatch.setattr(
        OpenVinoRunner,
        "infer",
        lambda self, feeds: {k: v + next(noise) for k, v in infer(self, feeds).items()},
    )
    assert openvino_build.compiled(plain, spec, lambda *_: None).compiled.keys() == {(1, height)}


def test_wrong_inputs_plans_and_graphs_are_errors(runner: Runner, tmp_path: Path) -> None:
    spec = spec_of(LANDMARKS)
    with pytest.raises(RunnerError):
        runner.infer({"faces": np.zeros((1, 3, 3, 3), np.uint8)})
    plan = tmp_path / "plan.ov"
    damaged = CompiledNetworks("f32", ("offsets",), {(1, 64): b"none"})
    for data in (b"no plan", msgspec.msgpack.encode(damaged)):
        plan.write_bytes(data)
        with pytest.raises(PlanDamagedError, match="emotions build --force --engine openvino"):
            OpenVino().open(plan, spec)
    wrong = helper.make_model(helper.make_graph([], "empty", [], []))
    with pytest.raises(EngineError, match="does not take the graph"):
        OpenVino().compile(wrong, spec, tmp_path, lambda *_: None)


def test_bfloat16_is_the_default_where_the_cpu_has_it_and_refused_elsewhere(
    plans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_instructions(monkeypatch)
    assert OpenVino().precisions[0] == "fp32"
    with pytest.raises(EngineError, match="bf16"):
        build.build(spec_of(LANDMARKS), OpenVino(), plans, precision="bf16")
    for name in ("avx512_bf16", "amx_bf16"):
        with_instructions(monkeypatch, name)
        assert OpenVino().precisions[0] == "bf16"
        assert name in OpenVino().identity()["instructions"]
    assert wants_bfloat16(convert(graph(LANDMARKS), spec_of(LANDMARKS), "bf16"))
    assert not wants_bfloat16(graph(LANDMARKS))


@pytest.mark.parametrize("name", SHIPPED)
def test_rounding_to_bfloat16_stays_within_the_limits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any CPU: layers and inner results are rounded as on a CPU with bfloat16."""
    spec, plain = spec_of(name), graph(name)
    onnx.save(rounded(plain), tmp_path / "rounded.onnx")
    monkeypatch.setattr(parity, "probe", photographed)
    with (
        OnnxRuntimeRunner(tmp_path / "rounded.onnx", spec) as rough,
        build.reference(spec, plain) as reference,
    ):
        figures = parity.check(spec, rough, reference, "bf16")
    assert any(figures.values())


def test_auto_takes_openvino_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> tuple[Gpu, ...]:
        raise GpuMissingError("no GPU here")

    monkeypatch.setattr(select, "visible", missing)
    found = choose("auto")
    assert (found.engine.name, found.reason) == ("openvino", "no GPU here; OpenVINO is installed")
    for name in ("engine", "runner"):
        monkeypatch.delitem(sys.modules, f"engines.backends.openvino.{name}")
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = choose("auto")
    assert found.engine.name == "onnxruntime"
    with pytest.raises(LibraryMissingError, match=r"build\.sh build --engine openvino"):
        load_engine("openvino")


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with weights, layers' inputs and inner results rounded to bfloat16."""
    result, model = copied(model), copied(model)
    kept, constants = exact(model.graph), {t.name: t for t in result.graph.initializer}
    del result.graph.node[:], result.graph.value_info[:]
    for node in model.graph.node:
        if node.op_type in WEIGHTED:
            constants[node.input[1]].CopyFrom(_rounded(constants[node.input[1]]))
            result.graph.node.extend(_through(node.input[0], f"{node.name}/in"))
            node.input[0] = f"{node.name}/in"
        inner = node.op_type not in {"Shape", "Gather"} and not kept.issuperset(node.output)
        name = node.output[0]
        if inner:
            node.output[0] = f"{name}/whole"
        result.graph.node.append(node)
        if inner:
            result.graph.node.extend(_through(f"{name}/whole", name))
    return result


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _through(source: str, target: str) -> list[onnx.NodeProto]:
    half = f"{target}/bf16"
    return [
        helper.make_node("Cast", [source], [half], half, to=TensorProto.BFLOAT16),
        helper.make_node("Cast", [half], [target], f"{target}/f32", to=TensorProto.FLOAT),
    ]


def _rounded(tensor: TensorProto) -> TensorProto:
    """Round a float32 tensor to the upper half of its bits, to nearest."""
    bits = numpy_helper.to_array(tensor).view(np.uint32).astype(np.uint64)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000
    return numpy_helper.from_array(nearest.astype(np.uint32).view(np.float32), tensor.name)


def test_openvino_sends_no_telemetry() -> None:
    code = (
        "import engines.backends.openvino.engine, openvino.tools.ovc; "
        "print(type(openvino.tools.ovc.telemetry).__module__)"
    )
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert output.strip() == "openvino.tools.ovc.telemetry_stub"
