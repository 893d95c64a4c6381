"""From weights to a verified plan, and the errors on the way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from engines import build, plan
from engines.backends.onnxruntime import OnnxRuntime, OnnxRuntimeRunner
from engines.catalog import Catalog, ModelSpec, ParityLimits
from engines.errors import EngineError, ParityError, PlanDamagedError, PlanMissingError
from engines.network import export
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Array, Feeds

ENGINE = OnnxRuntime()
NAME = "landmarks-64"


@pytest.fixture
def spec() -> ModelSpec:
    return Catalog.load().get(NAME)


@pytest.fixture
def built(spec: ModelSpec, tmp_path: Path) -> build.Built:
    return build.build(spec, ENGINE, tmp_path)


def test_a_build_leaves_a_verified_plan_and_its_sidecar(
    spec: ModelSpec, tmp_path: Path, built: build.Built
) -> None:
    assert built.fresh
    assert sorted(p.name for p in built.path.parent.glob("[!.]*")) == [
        built.path.name,
        f"{built.path.name}.json",
    ]
    assert build.find(spec, ENGINE, tmp_path) == (built.path, built.sidecar)
    assert built.sidecar.parity is not None
    assert built.sidecar.parity["landmark"] < 1e-3


def test_a_second_build_uses_the_plan_unless_forced(
    spec: ModelSpec, tmp_path: Path, built: build.Built
) -> None:
    again = build.build(spec, ENGINE, tmp_path)
    assert not again.fresh
    assert again.sidecar == built.sidecar
    assert build.build(spec, ENGINE, tmp_path, force=True).fresh


def test_processes_that_start_together_build_a_plan_once(spec: ModelSpec, tmp_path: Path) -> None:
    lines: list[str] = []

    def build_plan(_: int) -> build.Built:
        return build.build(spec, ENGINE, tmp_path, log=lines.append)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(build_plan, range(2)))
    assert [each.fresh for each in found].count(True) == 1
    assert f"another process builds {NAME}; waiting for it" in lines


@pytest.mark.parametrize(
    "change",
    [{"version": "another"}, {"batches": (1, 2)}, {"name": "other"}, {"options": {"unused": 1}}],
)
def test_another_fingerprint_is_another_plan(
    spec: ModelSpec, tmp_path: Path, built: build.Built, change: dict[str, object]
) -> None:
    assert built.fresh
    with pytest.raises(PlanMissingError, match="emotions build"):
        build.find(msgspec.structs.replace(spec, **change), ENGINE, tmp_path)


def test_larger_inputs_leave_the_plan_of_the_smallest_as_it_was(tmp_path: Path) -> None:
    detector = Catalog.load().get("retinaface-mnet025")
    alone = msgspec.structs.replace(detector, sides=())
    key = plan.resolve(detector, ENGINE, tmp_path).fingerprint
    assert key == plan.resolve(alone, ENGINE, tmp_path).fingerprint
    sizes = [detector, *detector.larger]
    assert len({plan.resolve(spec, ENGINE, tmp_path).fingerprint.digest for spec in sizes}) == 3


def test_a_missing_plan_of_a_larger_input_names_the_command_for_all_sizes(tmp_path: Path) -> None:
    detector = Catalog.load().get("retinaface-mnet025")
    command = "no .* plan of retinaface-mnet025-960 .* `emotions build .* retinaface-mnet025`"
    with pytest.raises(PlanMissingError, match=command):
        build.find(detector.larger[0], ENGINE, tmp_path)


def test_library_and_hardware_are_in_the_fingerprint(spec: ModelSpec, tmp_path: Path) -> None:
    class Newer(OnnxRuntime):
        def identity(self) -> dict[str, str]:
            return {"library": "onnxruntime 99"}

    build.build(spec, ENGINE, tmp_path)
    with pytest.raises(PlanMissingError):
        build.find(spec, Newer(), tmp_path)


@pytest.mark.parametrize("damage", ["plan", "sidecar", "cut"])
def test_a_damaged_plan_is_refused_and_built_again(
    spec: ModelSpec, tmp_path: Path, built: build.Built, damage: str
) -> None:
    sidecar = built.path.with_name(built.path.name + ".json")
    if damage == "sidecar":
        sidecar.write_text("{")
    else:
        content = bytearray(built.path.read_bytes())
        content[1000] ^= 1
        built.path.write_bytes(content[:500] if damage == "cut" else content)
    with pytest.raises(PlanDamagedError, match=rf"--force .* {NAME}"):
        build.find(spec, ENGINE, tmp_path)
    lines: list[str] = []
    assert build.build(spec, ENGINE, tmp_path, log=lines.append).fresh
    assert "damaged" in lines[0]


def test_an_interrupted_build_leaves_nothing_that_loads(
    spec: ModelSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr("engines.parity.check", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build.build(spec, ENGINE, tmp_path)
    assert not list((tmp_path / "onnxruntime").glob("[!.]*"))


class Skewed(OnnxRuntime):
    """An engine whose answers after the first item of a batch are wrong."""

    name = "skewed"

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        return SkewedRunner(plan, spec)


class SkewedRunner(OnnxRuntimeRunner):
    def infer(self, feeds: Feeds) -> dict[str, Array]:
        return {name: np.roll(array, 1, axis=0) for name, array in super().infer(feeds).items()}


@pytest.mark.parametrize("name", [NAME, "retinaface-mnet025"])
def test_a_plan_that_mixes_up_a_batch_is_not_put_in_place(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="not put in place"):
        build.build(Catalog.load().get(name), Skewed(), tmp_path)
    assert not list((tmp_path / "skewed").glob("[!.]*"))


def test_a_plan_beyond_its_limits_is_refused(spec: ModelSpec, tmp_path: Path) -> None:
    strict = msgspec.structs.replace(spec, limits={"fp32": ParityLimits(landmark=-1.0)})
    with pytest.raises(ParityError, match="limit -1"):
        build.build(strict, ENGINE, tmp_path)


def test_verify_writes_new_figures_and_makes_a_plan_valid(
    spec: ModelSpec, tmp_path: Path, built: build.Built
) -> None:
    plan.write_sidecar(built.path, msgspec.structs.replace(built.sidecar, parity=None))
    with pytest.raises(PlanMissingError, match="emotions verify"):
        build.find(spec, ENGINE, tmp_path)
    assert build.verify(spec, ENGINE, tmp_path).parity == built.sidecar.parity
    assert build.find(spec, ENGINE, tmp_path)[1] == built.sidecar


class Unable(OnnxRuntime):
    """Its plans do not run on this machine."""

    def obstacle(self) -> Any:
        return "the GPU is too old"


def test_a_plan_that_cannot_run_here_is_refused_with_the_obstacle(
    spec: ModelSpec, tmp_path: Path
) -> None:
    """`emotions verify` on this machine would not help."""
    assert build.build(spec, Unable(), tmp_path).sidecar.parity is None
    with pytest.raises(PlanMissingError, match="never verified; it cannot run here: the GPU is"):
        build.find(spec, Unable(), tmp_path)


def test_weights_of_another_network_are_named(spec: ModelSpec, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no graph")
    broken = msgspec.structs.replace(spec, weights=str(wrong), sha256=None)
    with pytest.raises(EngineError, match=r"wrong\.onnx"):
        build.build(broken, ENGINE, tmp_path)
    with pytest.raises(EngineError, match="no network"):
        export("nothing", wrong, {})


def test_a_runner_splits_a_batch_that_is_larger_than_its_largest(
    spec: ModelSpec, tmp_path: Path
) -> None:
    small = msgspec.structs.replace(spec, batches=(1, 4))
    faces = np.repeat(probe(spec), 3, axis=0)[:10]
    build.build(small, ENGINE, tmp_path)
    with ENGINE.open(build.find(small, ENGINE, tmp_path)[0], small) as runner:
        together = runner.infer({"faces": faces})["offsets"]
        alone = [runner.infer({"faces": faces[i : i + 1]})["offsets"] for i in range(10)]
    assert np.array_equal(together, np.concatenate(alone))


def test_a_plan_of_onnx_runtime_is_a_valid_graph(built: build.Built) -> None:
    onnx.checker.check_model(str(built.path))


def test_unknown_engines_are_named() -> None:
    with pytest.raises(EngineError, match="no engine 'coreml'"):
        load_engine("coreml")


def test_a_folder_that_cannot_be_written_names_the_setting(spec: ModelSpec, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime").write_text("a file where a folder should be")
    with pytest.raises(EngineError, match="EMOTIONS_PLANS"):
        build.build(spec, ENGINE, tmp_path)


def test_onnx_runtime_sends_no_telemetry() -> None:
    code = "import engines, subprocess; print(subprocess.check_output(['env'], text=True))"
    environment = {"PATH": os.environ["PATH"]}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment)
    assert b"ORT_DISABLE_TELEMETRY=1" in output
