"""Runs the networks of an OpenVINO plan in the calling thread."""

import functools
import io
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from engines.batches import in_pieces
from engines.errors import LibraryMissingError, RunnerError
from engines.types import Array, Feeds, Runner

try:
    import openvino as ov
except ImportError as error:
    raise LibraryMissingError(
        "OpenVINO is not installed here; run `./build.sh build --engine openvino`, or install the "
        "extra: pip install '.[openvino]'"
    ) from error

VERSION: str = ov.__version__.partition("-")[0]


class CompiledNetworks(msgspec.Struct, frozen=True):
    """Content of a plan's file: a network compiled for each shape, and how to run it.

    A shape is a batch size and a height. `hint` is the type that replaces float32 in computations,
    `f32` or `bf16`; `outputs` are the names of the outputs in their order.
    """

    hint: str
    outputs: tuple[str, ...]
    compiled: dict[tuple[int, int], bytes]


class OpenVinoRunner(Runner):
    """Runs networks in the calling thread: one worker per core keeps all cores busy.

    A network for a lower height is loaded when that height first occurs: each takes 20 MB, and many
    services get images of only one format.
    """

    def __init__(self, networks: CompiledNetworks) -> None:
        self._networks = networks
        self._requests: dict[tuple[int, int], Any] = {}
        full = max(height for _, height in networks.compiled)
        for shape in networks.compiled:
            if shape[1] == full:
                self._load(shape)

    def _load(self, shape: tuple[int, int]) -> None:
        blob = io.BytesIO(self._networks.compiled[shape])
        network = core().import_model(blob, "CPU", options(self._networks.hint))
        self._requests[shape] = network.create_infer_request()

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch, in pieces of the plan's batch sizes; see `Runner.infer`."""
        rows, height = next(iter(feeds.values())).shape[:2]
        sizes = [size for size, each in self._networks.compiled if each == height and size <= rows]
        if not sizes:
            raise RunnerError(f"the plan has no network for a height of {height}")
        if rows not in sizes:
            return in_pieces(self.infer, feeds, max(sizes))
        try:
            if (rows, height) not in self._requests:
                self._load((rows, height))
            results = self._requests[rows, height].infer(dict(feeds), share_inputs=True)
        except RuntimeError as error:
            raise RunnerError(f"OpenVINO failed: {error}") from error
        return {name: np.asarray(results[i]) for i, name in enumerate(self._networks.outputs)}

    def __exit__(self, *error: object) -> None:
        self._requests.clear()


@functools.cache
def core() -> Any:
    """The library's `Core`, one per process."""
    return ov.Core()


def options(hint: str) -> Mapping[str, object]:
    """One stream in the calling thread, pinned to no core; `hint` is `f32` or `bf16`."""
    return {
        "INFERENCE_PRECISION_HINT": hint,
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "ENABLE_CPU_PINNING": False,
    }
