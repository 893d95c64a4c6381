"""The GPU memory that the batches of a plan need, which is known before any is allocated."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from engines.backends.tensorrt.tensors import Tensor

if TYPE_CHECKING:
    import tensorrt as trt

# Addresses that TensorRT accepts are multiples of this.
ALIGNMENT = 256
# CUDA allocates whole pages.
PAGE = 2 << 20


class MemoryLayout(NamedTuple):
    """One allocation for a stream: scratch memory of the layers first, then the tensors.

    sizes: batch sizes that fit, rising; scratch: bytes, enough for each of them; offsets: where the
    tensors of the largest batch begin; total: bytes in all.
    """

    sizes: tuple[int, ...]
    scratch: int
    offsets: dict[str, int]
    total: int


def layouts(
    engine: "trt.ICudaEngine", tensors: Sequence[Tensor], sizes: tuple[int, ...]
) -> list[MemoryLayout]:
    """Return layouts for all batch sizes, for all but the largest, and so on to the smallest."""
    return [_layout(engine, tensors, sizes[:count]) for count in range(len(sizes), 0, -1)]


def _layout(
    engine: "trt.ICudaEngine", tensors: Sequence[Tensor], sizes: tuple[int, ...]
) -> MemoryLayout:
    # Profiles are in the order of the sizes.
    scratch = max(
        engine.get_device_memory_size_for_profile_v2(profile) for profile in range(len(sizes))
    )
    end, offsets = scratch, {}
    for tensor in tensors:
        offsets[tensor.name] = rounded_up(end, ALIGNMENT)
        end = offsets[tensor.name] + tensor.bytes(sizes[-1])
    return MemoryLayout(sizes, scratch, offsets, rounded_up(end, PAGE))


def rounded_up(size: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-size // step) * step
