"""Sessions run on the GPU or not at all, in the precision of the plan."""

import inspect
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.backends.cuda.engine import CudaEngine
from engines.backends.cuda.library import CUDA, Provider
from engines.backends.cuda.runner import CudaRunner
from engines.catalog import Precision
from engines.errors import GpuMissingError, RunnerError
from engines.graph.precision import convert
from tests.engines.backends.cuda.stand_in import L4, LANDMARKS, OnGpu, faces, without_gpu
from tests.engines.graphs import graph

# The library has this provider, but it runs none of our layers.
IDLE = Provider("AzureExecutionProvider", "Cpu")


@given(st.integers(1, 11))
def test_rows_are_alike_in_batches_of_any_size(runner: CudaRunner, rows: int) -> None:
    feeds = faces(rows)
    together = runner.infer(feeds)["offsets"]
    alone = [runner.infer({"faces": face[None]})["offsets"] for face in feeds["faces"]]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


@pytest.mark.parametrize("provider", [IDLE, pytest.param(CUDA, marks=without_gpu)])
@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_plan_whose_layers_fall_back_to_the_cpu_is_refused(
    provider: Provider, plan: Path
) -> None:
    with pytest.raises(GpuMissingError, match=r"9 of 9 layers .* CPU.*cudnn|cannot start CUDA"):
        CudaRunner(plan, LANDMARKS, provider)


def test_one_layer_on_the_cpu_is_too_many_but_other_nodes_may_be_there(
    gpu: type[OnGpu], plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CudaEngine((L4,)).open(plan, LANDMARKS) as opened:
        assert opened.infer(faces(3))["offsets"].shape == (3, 5, 2)
    monkeypatch.setattr(gpu, "stray", 1)
    with pytest.raises(GpuMissingError, match="1 of 9 layers"):
        CudaEngine((L4,)).open(plan, LANDMARKS)


@pytest.mark.parametrize(("precision", "tf32"), [("fp32", 0), ("fp16", 1)])
def test_float32_is_computed_in_float32_and_float16_on_tensor_cores(
    gpu: type[OnGpu], precision: Precision, tf32: int, tmp_path: Path
) -> None:
    engine = CudaEngine((L4,))
    model = convert(graph("landmarks-64"), LANDMARKS, precision)
    path = tmp_path / "plan.cuda"
    path.write_bytes(engine.compile(model, LANDMARKS, tmp_path, lambda *_: None))
    engine.open(path, LANDMARKS)
    assert [session.chosen[CUDA.name]["use_tf32"] for session in gpu.made] == [tf32, tf32]


def test_a_session_never_starts_again_on_the_cpu(gpu: type[OnGpu], plan: Path) -> None:
    """By default `InferenceSession` does, when it is made and at the first failure of the GPU."""
    CudaEngine((L4,)).open(plan, LANDMARKS)
    assert [session.others for session in gpu.made] == [{"enable_fallback": 0}] * 2


def test_each_batch_size_has_a_session_of_its_own_the_largest_first(
    gpu: type[OnGpu], plan: Path
) -> None:
    CudaEngine((L4,)).open(plan, LANDMARKS)
    assert [session.get_inputs()[0].shape[0] for session in gpu.made] == [4, 1]


def test_wrong_input_is_an_error_of_the_runner(runner: CudaRunner) -> None:
    with pytest.raises(RunnerError, match="ONNX Runtime failed on the GPU"):
        runner.infer({"faces": np.zeros((1, 3, 3, 3), np.uint8)})


def test_onnx_runtime_has_the_names_that_it_lacks_types_for() -> None:
    for name in ("preload_dlls", "create_and_register_allocator_v2", "set_default_logger_severity"):
        assert callable(getattr(ort, name))
    assert ort.OrtEpAssignedSubgraph.get_nodes
    assert ort.OrtEpAssignedSubgraph.ep_name
    assert ort.OrtEpAssignedNode.op_type
    parameters = inspect.signature(ort.InferenceSession).parameters
    assert list(parameters)[:3] == ["path_or_bytes", "sess_options", "providers"]
    assert "enable_fallback" in inspect.getsource(ort.InferenceSession)
