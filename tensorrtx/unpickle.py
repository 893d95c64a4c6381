"""A pickle reader for tensors only.

A pickle is a program that may call anything when Python's own reader runs it. Here it can reach
only ``OrderedDict``, the functions that rebuild tensors, and the storage types, so a hostile file
causes an error at worst. Tensors stay descriptions (``Tensor``) until ``view``.
"""

import collections
import io
import math
import pickle  # noqa: TID251  (the reader below resolves tensors only)
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorrtx.errors import WeightsError

DTYPES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}


class Storage(NamedTuple):
    """``size`` values that are stored elsewhere in the file under ``key``."""

    dtype: str
    key: str
    size: int

    @property
    def nbytes(self) -> int:
        """Length in the file in bytes."""
        return self.size * (2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize)

    def values(self, data: bytes | memoryview) -> NDArray[Any]:
        """Return the bytes as numbers; bfloat16, which numpy lacks, becomes float32."""
        if len(data) != self.nbytes:
            raise WeightsError(
                f"storage {self.key!r}: expected {self.nbytes} bytes, found {len(data)}"
            )
        if self.dtype == "bfloat16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        return np.frombuffer(data, self.dtype)


class Tensor(NamedTuple):
    """A strided window of a storage; the fields are unchecked, as in the file."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any

    def view(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the window of the storage's ``values`` without a copy.

        Raises:
            WeightsError: the window leaves the storage, or has more values than the storage.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        last = self.offset + sum(
            (n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)
        )
        count = math.prod(self.shape)
        if min(numbers) < 0 or count > values.size or (count and last >= values.size):
            raise WeightsError(
                f"shape {self.shape} with strides {self.strides} from {self.offset} "
                f"leaves its storage of {values.size} values"
            )
        steps = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, steps, writeable=False
        )


# Not `pickle.Unpickler`: its memo is an array that one opcode can make 64 GB long. The class in
# Python does the same with a dict, fast enough for some hundred tensors.
class Unpickler(pickle._Unpickler):  # noqa: SLF001
    """Reads one pickle; then ``storages`` holds every storage that the pickle refers to, by key."""

    def _drop_state(self: Any) -> None:
        """Ignore the state of an object, which would set attributes; a state dict's is metadata."""
        self.stack.pop()

    dispatch: ClassVar = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: _drop_state}  # noqa: SLF001

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the names that tensors need, and no others."""
        known = f"{module}.{name}"
        if known == "collections.OrderedDict":
            return collections.OrderedDict
        if known == "torch._utils._rebuild_tensor_v2":
            return self._tensor
        if known == "torch._utils._rebuild_parameter":
            return self._parameter
        if known in DTYPES:
            return DTYPES[known]
        raise WeightsError(f"refused: the pickle asks for {known}, which is no tensor")

    def persistent_load(self, pid: Any) -> Storage:
        """Record a reference to a storage: ("storage", type, key, device, size, ...)."""
        match pid:
            case ("storage", str(dtype), str(key), _, int(size), *_) if size >= 0:
                if dtype in DTYPES.values():
                    return self.storages.setdefault(key, Storage(dtype, key, size))
        raise WeightsError(f"refused: the pickle refers to {str(pid)[:80]!r}, which is no storage")

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
        return Tensor(storage, offset, shape, strides)

    def _parameter(self, tensor: Any, *_: Any) -> Any:
        return tensor


def unpickle(stream: io.BytesIO) -> tuple[Any, dict[str, Storage]]:
    """Read the pickle at the stream's position; return its content and the storages it refers to.

    Raises:
        WeightsError: it is damaged, or holds anything but tensors.
    """
    reader = Unpickler(stream)
    try:
        return reader.load(), reader.storages
    except WeightsError:
        raise
    except Exception as error:  # a damaged or hostile pickle can fail in any way
        raise WeightsError(f"damaged pickle: {type(error).__name__}: {error}") from error
