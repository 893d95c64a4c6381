"""Optimization profiles: one of a single shape for each batch size of a model.

The runner pads its rows to a batch size, so no other shape occurs: TensorRT tunes exactly these.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from engines.backends.tensorrt.library import Library, check
from engines.backends.tensorrt.streams import CudaStream
from engines.backends.tensorrt.tensors import Tensor
from engines.catalog import ModelSpec
from engines.errors import EngineError

if TYPE_CHECKING:
    import tensorrt as trt


class Profile(NamedTuple):
    """A profile of a plan: its number in the plan, and its batch size."""

    number: int
    rows: int


def add_profiles(
    builder: "trt.Builder",
    config: "trt.IBuilderConfig",
    network: "trt.INetworkDefinition",
    spec: ModelSpec,
) -> None:
    """Add a profile for each batch size, in their order.

    Raises:
        EngineError: the network has other inputs than the catalog's.
    """
    source = network.get_input(0)
    if network.num_inputs != 1 or source.name != spec.input_name:
        raise EngineError(f"{spec.name}: expected one input {spec.input_name!r}")
    item = tuple(source.shape)[1:]
    for rows in spec.batches:
        profile = builder.create_optimization_profile()
        shape = (rows, *item)
        profile.set_shape(source.name, shape, shape, shape)
        config.add_optimization_profile(profile)


def select(
    library: Library,
    context: "trt.IExecutionContext",
    profile: Profile,
    tensors: Sequence[Tensor],
    stream: CudaStream,
) -> None:
    """Select a profile and its shapes for good: a captured graph depends on them.

    Raises:
        RunnerError: the plan has no such profile, or other shapes.
    """
    check(library, context.set_optimization_profile_async(profile.number, stream.handle), "profile")
    stream.synchronize()  # TensorRT copies data for the profile, which must arrive before its use
    for tensor in tensors:
        if tensor.is_input:
            shape = tensor.shape(profile.rows)
            check(library, context.set_input_shape(tensor.name, shape), f"shape {shape}")
    missing = context.infer_shapes()
    check(library, not missing, f"shapes of {missing}")
    for tensor in tensors:
        found = tuple(context.get_tensor_shape(tensor.name))
        check(library, found == tensor.shape(profile.rows), f"shape {found} of {tensor.name}")
