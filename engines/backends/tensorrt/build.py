"""From a graph to the bytes of a plan, by TensorRT's or TensorRT-RTX's builder."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from engines.backends.tensorrt.library import (
    Library,
    compute_capabilities,
    compute_capability,
    logger,
    reasons_of,
)
from engines.backends.tensorrt.profiles import add_profiles
from engines.backends.tensorrt.progress import monitor, stopped_by_ctrl_c
from engines.catalog import ModelSpec
from engines.disk import atomic_write
from engines.errors import EngineError
from engines.types import Report

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")


def compiled(
    library: Library,
    model: onnx.ModelProto,
    spec: ModelSpec,
    *,
    capability: str | None,
    timing: Path | None,
    report: Report,
) -> bytes:
    """Build a plan with an optimization profile for each of the model's batch sizes.

    `capability`, e.g. `8.9`, is for TensorRT-RTX; `timing` is the file of TensorRT's timing cache.

    Raises:
        EngineError: the parser or the builder rejects the graph; the message has the reason.
    """
    builder = library.Builder(logger(library))
    network = parsed(library, builder, model)
    config = builder.create_builder_config()
    add_profiles(builder, config, network, spec)
    if capability is not None:
        _set_capability(library, config, capability)
    # float32 means float32: TensorRT's default, TF32, has the precision of float16.
    config.clear_flag(library.BuilderFlag.TF32)
    cache = _set_timing_cache(config, timing) if timing is not None else None
    plan = _built(library, builder, network, config, report)
    if plan is None:
        raise EngineError(f"{spec.name} does not build: {reasons_of(library).last_error}")
    if timing is not None and cache is not None:
        with atomic_write(timing) as temporary:
            temporary.write_bytes(memoryview(cache.serialize()))
    return bytes(memoryview(plan))


def parsed(
    library: Library, builder: "trt.Builder", model: onnx.ModelProto
) -> "trt.INetworkDefinition":
    """Parse a graph into a strongly typed network.

    Raises:
        EngineError: the parser rejects it.
    """
    flag = library.NetworkDefinitionCreationFlag.STRONGLY_TYPED
    network = builder.create_network(1 << int(flag))
    parser = library.OnnxParser(network, logger(library))
    if not parser.parse(model.SerializeToString()):
        reasons = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineError(f"TensorRT's parser does not take the graph: {reasons}")
    return network


def _set_capability(library: Library, config: "trt.IBuilderConfig", capability: str) -> None:
    """Compile for one compute capability; only TensorRT-RTX can."""
    settings: Any = config
    chosen = compute_capability(library, capability)
    if chosen is None:
        known = ", ".join(compute_capabilities(library))
        raise EngineError(f"TensorRT-RTX does not build for {capability}; it does for {known}")
    settings.num_compute_capabilities = 1
    settings.set_compute_capability(chosen, 0)


def _set_timing_cache(config: "trt.IBuilderConfig", path: Path) -> "trt.ITimingCache":
    """Load the timings that earlier builds measured on this kind of GPU."""
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if not config.set_timing_cache(cache, False):
        log.info("timing.cache.ignored: %s is from another GPU or version", path)
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _built(
    library: Library,
    builder: "trt.Builder",
    network: "trt.INetworkDefinition",
    config: "trt.IBuilderConfig",
    report: Report,
) -> "trt.IHostMemory | None":
    """Build with progress reports; raise the exception that stopped the build, if any."""
    progress = monitor(library, report)
    config.progress_monitor = progress
    with stopped_by_ctrl_c(progress):
        plan = builder.build_serialized_network(network, config)
    if progress.stopped is not None:
        raise progress.stopped
    return plan
