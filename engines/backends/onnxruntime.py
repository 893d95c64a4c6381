"""ONNX Runtime on the CPU: the embedded default, and the reference that others are held to."""

from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime as ort

from engines import cpu
from engines.batches import in_pieces
from engines.catalog import ModelSpec, Precision
from engines.errors import PlanDamagedError, RunnerError
from engines.types import Array, Feeds, Report, Runner

if TYPE_CHECKING:
    import onnx

# Grows whenever what `compile` writes changes.
FORM = "2"
PROVIDERS = ["CPUExecutionProvider"]


class OnnxRuntimeRunner(Runner):
    """One session with one thread of its own; a core is kept busy by a worker, not by a pool.

    Several such sessions beat one with all threads, most of all where cores are shared with
    others, since ONNX Runtime's pool spins while it waits.
    """

    def __init__(self, plan: Path | bytes, spec: ModelSpec, *, optimised: bool = True) -> None:
        source, named = (plan, spec.name) if isinstance(plan, bytes) else (str(plan), str(plan))
        try:
            self._session = session(source, optimised=optimised)
        except Exception as error:  # the library raises a family of its own without a common base
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


class OnnxRuntime:
    """The engine: a plan is the ONNX graph."""

    name = origin = "onnxruntime"
    suffix = ".onnx"
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "int8")

    def identity(self) -> dict[str, str]:
        """The library's version and the form of the graph, which runs on any CPU."""
        return {"library": f"onnxruntime {ort.__version__}", "plan": FORM}

    def obstacle(self) -> None:
        """None: it runs on every CPU."""

    def devices(self) -> int:
        """None: the cores compute."""
        return 0

    def on(self, device: int) -> "OnnxRuntime":  # noqa: ARG002
        """The same: it has no GPU."""
        return self

    def batch(self, spec: ModelSpec) -> int:
        """See `cpu.batch`."""
        return cpu.batch(spec)

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """All that the network has: a free height costs nothing. See docs/adr/0009."""
        from engines import heights  # noqa: PLC0415  (a worker has no need of it)

        return heights.every(spec)

    def compile(
        self,
        model: "onnx.ModelProto",
        spec: ModelSpec,  # noqa: ARG002
        folder: Path,  # noqa: ARG002
        report: Report,  # noqa: ARG002
    ) -> bytes:
        """Serialise the graph: ONNX Runtime optimises when it loads, in a tenth of a second."""
        from engines.graph.prelu import unrolled  # noqa: PLC0415  (a worker has no need of it)

        return bytes(unrolled(model).SerializeToString(deterministic=True))

    def open(self, plan: Path, spec: ModelSpec) -> OnnxRuntimeRunner:
        """Load a plan into a session of one thread."""
        return OnnxRuntimeRunner(plan, spec)


def session(source: str | bytes | Path, *, optimised: bool = True) -> ort.InferenceSession:
    """Load a graph into a session of one thread, which several threads may use."""
    given = source if isinstance(source, bytes) else str(source)
    return ort.InferenceSession(given, _options(optimised), PROVIDERS)


def _options(optimised: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Without VNNI products of int8 saturate at 16 bits: landmarks 4.2 pixels off instead of 2.0.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options
