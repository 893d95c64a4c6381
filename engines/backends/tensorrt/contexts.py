"""Execution contexts of a plan: one per batch size, in memory that they share."""

from typing import TYPE_CHECKING, Any

from engines.backends.tensorrt.buffers import Buffers
from engines.backends.tensorrt.library import Library, check, failure
from engines.backends.tensorrt.memory import MemoryLayout
from engines.backends.tensorrt.plan import LoadedPlan
from engines.backends.tensorrt.profiles import Profile, select
from engines.backends.tensorrt.streams import CudaStream

if TYPE_CHECKING:
    import tensorrt as trt


def contexts(
    library: Library, plan: LoadedPlan, layout: MemoryLayout, buffers: Buffers, stream: CudaStream
) -> "dict[int, trt.IExecutionContext]":
    """Create a context for each batch size: a captured graph depends on its context's shapes.

    They share the scratch memory and the buffers, since a stream runs one at a time.

    Raises:
        GpuMemoryError: TensorRT finds no free memory.
        RunnerError: the plan has other batch sizes or shapes.
    """
    made = {}
    for profile in map(Profile._make, enumerate(layout.sizes)):
        context = _context(library, plan.engine)
        select(library, context, profile, plan.tensors, stream)
        context.set_device_memory(buffers.scratch, layout.scratch)
        for tensor in plan.tensors:
            address = buffers.address(tensor.name)
            check(library, context.set_tensor_address(tensor.name, address), "address")
        made[profile.rows] = context
    return made


def enqueue(library: Library, context: "trt.IExecutionContext", stream: CudaStream) -> None:
    """Queue the kernels of a batch size.

    Raises:
        GpuMemoryError: TensorRT finds no free memory.
        RunnerError: TensorRT failed.
    """
    check(library, context.execute_async_v3(stream.handle), "execution")


def _context(library: Library, engine: "trt.ICudaEngine") -> "trt.IExecutionContext":
    """A context that uses our memory for activations."""
    strategy = library.ExecutionContextAllocationStrategy.USER_MANAGED
    rtx: Any = library
    options: Any = strategy
    if hasattr(rtx, "DynamicShapesKernelSpecializationStrategy"):
        # TensorRT-RTX compiles kernels on first use by default, too late for a captured graph.
        options = engine.create_runtime_config()
        options.set_execution_context_allocation_strategy(strategy)
        eager = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
        options.dynamic_shapes_kernel_specialization_strategy = eager
    context: trt.IExecutionContext | None = engine.create_execution_context(options)
    if context is None:
        raise failure(library, "creation of a context")
    return context
