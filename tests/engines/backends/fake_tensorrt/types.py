"""Constants, shapes and tensors."""

from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper

MARK = b"FAKEPLAN"


class DataType(Enum):
    UINT8 = np.uint8
    FLOAT = np.float32


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(Enum):
    TF32 = 1


class ExecutionContextAllocationStrategy(Enum):
    USER_MANAGED = 2


class ILogger:
    pass


class IProgressMonitor:
    pass


def nptype(trt_type: DataType) -> Any:
    return trt_type.value


class Dims:
    """Has no `__iter__`, like the real one."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, index: int) -> int:
        return self._sizes[index]

    if TYPE_CHECKING:  # Python falls back to __getitem__

        def __iter__(self) -> Iterator[int]: ...


class ITensor:
    def __init__(self, value: onnx.ValueInfoProto) -> None:
        self.name = value.name
        sizes = (dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim)
        self.shape = Dims(tuple(sizes))
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        self.dtype = DataType(kind.type)


def log(logger: Any, severity: str, text: str) -> None:
    logger.log(type("Severity", (), {"name": severity}), text)
