"""A session for one batch size, all of whose layers run on the GPU."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import onnxruntime as ort

from engines.backends.cuda.errors import typed
from engines.backends.cuda.library import FATAL, Provider
from engines.errors import GpuMissingError
from engines.graph.precision import WEIGHTED
from engines.types import Array, Feeds


class CudaPlan(msgspec.Struct, frozen=True):
    """Content of a plan's file: an ONNX graph, and two facts for its sessions.

    `half`: its layers are in float16; `batch`: the name of the first dimension of its input.
    """

    half: bool
    batch: str
    graph: bytes


class Session:
    """Runs batches of one size; it takes all of its memory when it is made.

    ONNX Runtime prepares each convolution again whenever the batch size changes
    (microsoft/onnxruntime#23006), so each batch size has a session.
    """

    def __init__(self, plan: CudaPlan, shape: tuple[int, ...], provider: Provider) -> None:
        """Load a plan for inputs of `shape`, and run it once.

        Raises:
            GpuMissingError: a layer would run on the CPU, or CUDA does not start.
            GpuMemoryError: the GPU or the budget has too little memory.
            PlanDamagedError: ONNX Runtime does not load the graph.
            RunnerError: the graph does not run.
        """
        self._size, self._limit = shape[0], provider.limit
        chosen = [(provider.name, _provider_options(plan))]
        options = _options({plan.batch: shape[0]})
        with typed(provider.limit, loading=True):
            # Without the last argument, a session whose provider fails starts again on the CPU.
            self._session = ort.InferenceSession(plan.graph, options, chosen, enable_fallback=0)
        self._check(provider)
        (source,) = self._session.get_inputs()
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.run({source.name: np.zeros(shape, np.uint8)})

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Run at most `size` rows: arrays (N, ...) by input name to arrays (N, ...).

        Raises:
            GpuMemoryError: the GPU or the budget has too little memory.
            RunnerError: ONNX Runtime failed.
        """
        rows = len(next(iter(feeds.values())))
        full = {name: _padded(array, self._size) for name, array in feeds.items()}
        with typed(self._limit):
            values = self._session.run(self._outputs, full)
        return {name: v[:rows] for name, v in zip(self._outputs, values, strict=True)}

    def _check(self, provider: Provider) -> None:
        """Check that all layers with weights run on the GPU.

        ONNX Runtime assigns what its provider does not run to the CPU, with no more than a warning.
        """
        layers = [
            group.ep_name
            for group in self._session.get_provider_graph_assignment_info()
            for node in group.get_nodes()
            if node.op_type in WEIGHTED
        ]
        elsewhere = len(layers) - layers.count(provider.name)
        if elsewhere:
            raise GpuMissingError(
                f"{elsewhere} of {len(layers)} layers would run on the CPU: ONNX Runtime "
                f"{ort.__version__} has no {provider.name} for them. Check that the versions of "
                "onnxruntime-gpu, CUDA and cuDNN fit: `pip install 'onnxruntime-gpu[cuda,cudnn]'`"
            )


def _padded(array: Array, size: int) -> Array:
    """Append zeros to rows (N, ...) up to (size, ...)."""
    if len(array) == size:
        return array
    full = np.zeros((size, *array.shape[1:]), array.dtype)
    full[: len(array)] = array
    return full


def _options(dimensions: Mapping[str, int]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    for name, size in dimensions.items():
        options.add_free_dimension_override_by_name(name, size)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _provider_options(plan: CudaPlan) -> dict[str, Any]:
    """Return the options of the CUDA provider for a plan.

    float32 means float32: TF32 has the precision of float16. But without TF32 the provider keeps
    float16 off the tensor cores, too.
    """
    return {
        "device_id": 0,
        "use_tf32": int(plan.half),
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
    }
