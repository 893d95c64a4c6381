"""ONNX Runtime on the CPU: the default, and the reference that other engines are compared with."""

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime as ort

from engines.batches import in_pieces
from engines.catalog import ModelSpec, Precision
from engines.cpu import CpuEngine
from engines.errors import PlanDamagedError, RunnerError
from engines.types import Array, Feeds, Report, Runner

if TYPE_CHECKING:
    import onnx

# Version of our plans; increase it when the output of `compile` changes.
PLAN_VERSION = "2"
PROVIDERS = ["CPUExecutionProvider"]
# Most pixels of an input for which a session plans its memory. All sizes of the detector together
# keep 87 MB; with planned memory they keep 197 MB.
MOST_PLANNED = 640 * 640


class OnnxRuntimeRunner(Runner):
    """A session that computes in the calling thread: one worker per core keeps all cores busy.

    Several such sessions are faster than one with all threads, above all on shared cores, because
    ONNX Runtime's thread pool spins while it waits.
    """

    def __init__(self, plan: Path | bytes, spec: ModelSpec, *, optimised: bool = True) -> None:
        source, named = (plan, spec.name) if isinstance(plan, bytes) else (str(plan), str(plan))
        try:
            planned = math.prod(spec.input_shape[:2]) <= MOST_PLANNED
            self._session = session(source, optimised=optimised, planned=planned)
        except Exception as error:  # the library's errors have no common base class
            raise PlanDamagedError(
                f"ONNX Runtime does not load {named}; run `emotions build --force {spec.name}`"
            ) from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._largest = spec.max_batch

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        return in_pieces(self._run, feeds, self._largest)

    def _run(self, feeds: Feeds) -> dict[str, Array]:
        try:
            values = self._session.run(self._outputs, dict(feeds))
        except Exception as error:  # see above
            raise RunnerError(f"ONNX Runtime failed: {error}") from error
        return dict(zip(self._outputs, values, strict=True))

    def __exit__(self, *error: object) -> None:
        del self._session


class OnnxRuntime(CpuEngine):
    """The engine; its plans are ONNX graphs."""

    name = origin = "onnxruntime"
    suffix = ".onnx"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")

    def identity(self) -> dict[str, str]:
        """The library's version and `PLAN_VERSION`; a plan runs on any CPU."""
        return {"library": f"onnxruntime {ort.__version__}", "plan": PLAN_VERSION}

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """All heights of the network: a dynamic height costs no time. See docs/adr/0009."""
        from engines import heights  # noqa: PLC0415  (a worker does not need it)

        return heights.every(spec)

    def compile(
        self,
        model: "onnx.ModelProto",
        spec: ModelSpec,  # noqa: ARG002
        folder: Path,  # noqa: ARG002
        report: Report,  # noqa: ARG002
    ) -> bytes:
        """Serialise the graph; ONNX Runtime optimises it on loading, in 0.1 s."""
        from engines.graph.prelu import unrolled  # noqa: PLC0415  (a worker does not need it)

        return bytes(unrolled(model).SerializeToString(deterministic=True))

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        """Load a plan into a session of one thread."""
        return OnnxRuntimeRunner(plan, spec)


def session(
    source: str | bytes | Path, *, optimised: bool = True, planned: bool = True
) -> ort.InferenceSession:
    """Load a graph into a session of one thread; several threads may call it.

    `planned`: plan the memory of all layers for each shape of the input; it is 3 % faster.
    """
    given = source if isinstance(source, bytes) else str(source)
    _share_memory()
    return ort.InferenceSession(given, _options(optimised, planned), PROVIDERS)


@functools.cache
def _share_memory() -> None:
    """Let all sessions of this process use the same memory for their layers, one after the other.

    Otherwise each one keeps as much as its largest input has needed.
    """
    memory = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(memory, None)


def _options(optimised: bool, planned: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = planned
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without it, int8 products saturate at 16 bits on a CPU without VNNI: landmarks are 4.2 pixels
    # off instead of 2.0.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options
