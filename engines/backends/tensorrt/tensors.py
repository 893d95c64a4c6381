"""Inputs and outputs of a plan."""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from engines.backends.tensorrt.library import Library

if TYPE_CHECKING:
    import tensorrt as trt


class Tensor(NamedTuple):
    """An input or output: `row` is its shape without the batch."""

    name: str
    row: tuple[int, ...]
    dtype: type
    is_input: bool

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of a batch."""
        return rows, *self.row

    def bytes(self, rows: int) -> int:
        """The size of a batch."""
        return math.prod(self.shape(rows)) * np.dtype(self.dtype).itemsize


def tensors(library: Library, engine: "trt.ICudaEngine") -> list[Tensor]:
    """List the inputs and outputs of a plan; only the first dimension of each is dynamic."""
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    return [
        Tensor(
            name,
            tuple(engine.get_tensor_shape(name))[1:],
            library.nptype(engine.get_tensor_dtype(name)),
            engine.get_tensor_mode(name) == library.TensorIOMode.INPUT,
        )
        for name in names
    ]
