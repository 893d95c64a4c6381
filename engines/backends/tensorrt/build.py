"""From a graph to the bytes of a plan, by TensorRT's or TensorRT-RTX's builder."""

import contextlib
import functools
import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import onnx

from engines.catalog import ModelSpec
from engines.errors import EngineError
from engines.plan import staged
from engines.types import Report

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


class Library(Protocol):
    """What we use of the module, with the types of TensorRT's own bindings."""

    __version__: str
    Builder: "type[trt.Builder]"
    BuilderFlag: "type[trt.BuilderFlag]"
    ExecutionContextAllocationStrategy: "type[trt.ExecutionContextAllocationStrategy]"
    ILogger: "type[trt.ILogger]"
    IProgressMonitor: "type[trt.IProgressMonitor]"
    NetworkDefinitionCreationFlag: "type[trt.NetworkDefinitionCreationFlag]"
    OnnxParser: "type[trt.OnnxParser]"
    Runtime: "type[trt.Runtime]"
    TensorIOMode: "type[trt.TensorIOMode]"

    def nptype(self, trt_type: "trt.DataType") -> type:
        """The numpy type of a tensor's type."""

    def __hash__(self) -> int: ...


def compiled(
    library: Library,
    model: onnx.ModelProto,
    spec: ModelSpec,
    *,
    capability: str | None,
    timing: Path | None,
    report: Report,
) -> bytes:
    """Build a plan with a profile for each of the model's batch sizes.

    `capability` as `8.9` is for TensorRT-RTX; `timing` is where TensorRT keeps what it measured.

    Raises:
        EngineError: parser or builder refuse; the message has their words.
    """
    builder = library.Builder(logger(library))
    network = parsed(library, builder, model)
    config = builder.create_builder_config()
    _profile(builder, config, network, spec)
    if capability is not None:
        _aim(library, config, capability)
    # float32 means float32: TensorRT's default, TF32, has the precision of half floats.
    config.clear_flag(library.BuilderFlag.TF32)
    cache = _timing(config, timing)
    monitor = _monitor(library, report)
    config.progress_monitor = monitor
    with _interrupting(monitor):
        plan = builder.build_serialized_network(network, config)
    if monitor.stopped is not None:
        raise monitor.stopped
    if plan is None:
        raise EngineError(f"{spec.name} does not build: {logger(library).last_error}")
    if timing is not None and cache is not None:
        with staged(timing) as temporary:
            temporary.write_bytes(memoryview(cache.serialize()))
    return bytes(memoryview(plan))


def parsed(
    library: Library, builder: "trt.Builder", model: onnx.ModelProto
) -> "trt.INetworkDefinition":
    """Parse a graph into a strongly typed network.

    Raises:
        EngineError: the parser does not take it.
    """
    flag = library.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(flag))
    parser = library.OnnxParser(network, logger(library))
    if not parser.parse(model.SerializeToString()):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineError(f"TensorRT's parser does not take the graph: {reasons}")
    return network


def _profile(
    builder: "trt.Builder",
    config: "trt.IBuilderConfig",
    network: "trt.INetworkDefinition",
    spec: ModelSpec,
) -> None:
    """A profile of one shape for each batch size: the runner pads, so no other shape occurs."""
    source = network.get_input(0)
    if network.num_inputs != 1 or source.name != spec.input_name:
        raise EngineError(f"{spec.name}: expected one input {spec.input_name!r}")
    item = tuple(source.shape)[1:]
    for rows in spec.batches:
        profile = builder.create_optimization_profile()
        shape = (rows, *item)
        profile.set_shape(source.name, shape, shape, shape)
        config.add_optimization_profile(profile)


def _aim(library: Library, config: "trt.IBuilderConfig", capability: str) -> None:
    """Compile for one compute capability, which only TensorRT-RTX can be told."""
    rtx: Any = library
    settings: Any = config
    chosen = target(library, capability)
    if chosen is None:
        known = ", ".join(sorted(n for n in rtx.ComputeCapability.__members__ if n[:2] == "SM"))
        raise EngineError(f"TensorRT-RTX does not build for {capability}; it does for {known}")
    settings.num_compute_capabilities = 1
    settings.set_compute_capability(chosen, 0)


def target(library: Any, capability: str) -> Any:
    """TensorRT-RTX's name of a compute capability, None for one that it does not know."""
    return getattr(library.ComputeCapability, "SM" + capability.replace(".", ""), None)


def _timing(config: "trt.IBuilderConfig", path: Path | None) -> "trt.ITimingCache | None":
    """Give the builder what earlier builds on this kind of GPU measured."""
    if path is None:
        return None
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if not config.set_timing_cache(cache, False):
        log.info("timing.cache.anew: %s is of another GPU or version", path)
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


class _Logger:
    """Hands the library's lines to Python's logging and keeps the last error."""

    last_error = "no reason given"

    def log(self, severity: Any, msg: str) -> None:
        match severity.name:
            case "ERROR" | "INTERNAL_ERROR":
                self.last_error = msg
                log.error("%s", msg)
            case "WARNING":
                log.warning("%s", msg)
            case _:
                log.debug("%s", msg)


class _Monitor:
    """Reports steps, and stops the build at the next one once `stopped` is set."""

    def __init__(self, report: Report) -> None:
        super().__init__()  # the library's class, which comes after this one
        self._report = report
        self._steps: dict[str, int] = {}
        self.stopped: BaseException | None = None

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
        self._steps[phase_name] = num_steps
        self._tell(phase_name, 0)

    def step_complete(self, phase_name: str, step: int) -> bool:
        self._tell(phase_name, step + 1)
        return self.stopped is None

    def phase_finish(self, phase_name: str) -> None:
        self._tell(phase_name, self._steps[phase_name])

    def _tell(self, phase: str, step: int) -> None:
        try:
            self._report(phase, step, self._steps[phase])
        except BaseException as error:  # it must not cross the builder's C++; raised again after it
            self.stopped = error


@contextlib.contextmanager
def _interrupting(monitor: _Monitor) -> Iterator[None]:
    """Let Ctrl-C stop the build at its next step: raised inside the builder, it can be lost."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        monitor.stopped = KeyboardInterrupt()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@functools.cache
def logger(library: Any) -> Any:
    """The one logger of a library: TensorRT takes one a process."""
    return _derived(_Logger, library.ILogger)()


def _monitor(library: Library, report: Report) -> Any:
    return _derived(_Monitor, library.IProgressMonitor)(report)


def _derived(ours: type, theirs: type) -> Any:
    """Our methods on a class of a library that is known only when it runs."""
    return type(ours.__name__, (ours, theirs), {})
