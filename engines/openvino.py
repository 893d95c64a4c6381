"""OpenVINO on the CPU: faster than ONNX Runtime, most of all where the CPU computes in bfloat16.

A plan holds the network as OpenVINO exports it, compiled for a batch of one and, for some networks,
for a larger one or for several heights: fixed shapes run a tenth faster than free ones, and an
image that is always computed alone cannot answer otherwise in company.
"""

import functools
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from engines import cores
from engines.catalog import ModelSpec, Precision
from engines.errors import LibraryMissing, PlanDamaged, RunnerError
from engines.runner import Array, Feeds, Report, Runner, in_pieces

try:
    import openvino as ov
except ImportError as error:
    raise LibraryMissing(
        "OpenVINO is not installed here; run `./build.sh build --engine openvino`, or install the "
        "extra: pip install 'emotions[openvino]'"
    ) from error

if TYPE_CHECKING:
    import onnx

# Grows whenever `Networks` changes.
FORM = "2"
# Either makes bfloat16 faster than float32; elsewhere OpenVINO would silently compute in float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


class Networks(msgspec.Struct, frozen=True):
    """What a plan's file holds: a network compiled for each shape, and how to run it.

    A shape is a batch size and a height. `hint` is the type computed in where the graph says
    float32, `outputs` names the outputs in their order.
    """

    hint: str
    outputs: tuple[str, ...]
    compiled: dict[tuple[int, int], bytes]


class OpenVinoRunner(Runner):
    """Networks that compute in the calling thread; a core is kept busy by a worker, not a pool.

    A lower height is loaded when it comes for the first time: each takes 20 MB, and many services
    see images of one format.
    """

    def __init__(self, networks: Networks) -> None:
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
        """Run a batch, in pieces of the sizes that the plan has; see `Runner.infer`."""
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


class OpenVino:
    """The engine: a plan is bound to the library's version and the CPU's instructions."""

    name = origin = "openvino"
    suffix = ".ov"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """bfloat16 only where the CPU has it, and there it comes first."""
        return ("bf16", "fp32", "int8") if BFLOAT16 & cores.instructions() else ("fp32", "int8")

    def identity(self) -> dict[str, str]:
        """The library's version, the instructions that it picks kernels by, the file's form."""
        return {
            "library": f"openvino {ov.__version__.partition('-')[0]}",
            "instructions": " ".join(sorted(cores.instructions())),
            "plan": FORM,
        }

    def obstacle(self) -> None:
        """None: it runs on every CPU that it can be installed on."""

    def devices(self) -> int:
        """None: the cores compute."""
        return 0

    def on(self, device: int) -> "OpenVino":  # noqa: ARG002
        """The same: it has no GPU."""
        return self

    def batch(self, spec: ModelSpec) -> int:
        """See `cores.batch`."""
        return cores.batch(spec)

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """Those of common formats: each is compiled, for fixed shapes run faster."""
        from engines import heights  # noqa: PLC0415  (a worker has no need of it)

        return heights.common(spec)

    def compile(
        self,
        model: "onnx.ModelProto",
        spec: ModelSpec,
        folder: Path,  # noqa: ARG002
        report: Report,
    ) -> bytes:
        """Compile a graph; see `engines.openvino_build.compiled`."""
        from engines.openvino_build import compiled  # noqa: PLC0415  (a worker has no need of it)

        return msgspec.msgpack.encode(compiled(model, spec, report))

    def open(self, plan: Path, spec: ModelSpec) -> OpenVinoRunner:
        """Load a plan; a third of the time that compiling the graph would take."""
        try:
            return OpenVinoRunner(msgspec.msgpack.decode(plan.read_bytes(), type=Networks))
        except (msgspec.DecodeError, RuntimeError) as error:
            raise PlanDamaged(
                f"OpenVINO does not load {plan}; run `emotions build --force --engine openvino "
                f"{spec.name}`"
            ) from error


@functools.cache
def core() -> Any:
    """The library, once a process."""
    return ov.Core()


def options(hint: str) -> Mapping[str, object]:
    """One stream of one thread, which is the caller's, bound to no core; `hint` is f32 or bf16."""
    return {
        "INFERENCE_PRECISION_HINT": hint,
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "ENABLE_CPU_PINNING": False,
    }
