"""A plan in the fake GPU's memory; ONNX Runtime runs it."""

import json
import weakref
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_gpu import OUT_OF_MEMORY
from tests.engines.backends.fake_tensorrt.types import (
    MARK,
    DataType,
    Dims,
    ExecutionContextAllocationStrategy,
    ILogger,
    ITensor,
    TensorIOMode,
    log,
    nptype,
)

# Scratch memory of the layers, in bytes per row.
SCRATCH = 1 << 19


class IExecutionContext:
    def __init__(self, engine: "ICudaEngine") -> None:
        self._engine, self._machine = engine, engine.machine
        self._profile: int | None = None
        self._rows = 0
        self._addresses: dict[str, int] = {}
        self._memory = 0

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        assert stream_handle in self._machine.streams
        self._profile = profile_index
        return self._engine.works("profile") and profile_index < len(self._engine.profiles)

    def set_device_memory(self, memory: int, size: int) -> None:
        assert self._profile is not None
        needed = self._engine.get_device_memory_size_for_profile_v2(self._profile)
        assert len(self._machine.at(memory)) >= size >= needed
        self._memory = memory

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self._profile is not None
        least, _, most = dict(self._engine.profiles[self._profile])[name]
        self._rows = shape[0]
        fits = bool(least[0] <= shape[0] <= most[0]) and list(shape[1:]) == least[1:]
        return self._engine.works("shape") and fits

    def infer_shapes(self) -> list[str]:
        return [] if self._engine.works("infer") else ["an input"]

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims((self._rows, *tuple(self._engine.tensors[name].shape)[1:]))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        size = int(np.prod(tuple(self.get_tensor_shape(name))))
        assert len(self._machine.at(memory)) >= size
        self._addresses[name] = memory
        return self._engine.works("address")

    def execute_async_v3(self, stream_handle: int) -> bool:
        if not self._engine.works("execute", self._rows):
            return False
        self._machine.at(self._memory)
        self._machine.streams[stream_handle].add(self._run)
        return True

    def _run(self) -> None:
        source = next(iter(self._engine.inputs))
        feeds = {source: self._view(source)}
        for name, values in zip(
            self._engine.outputs, self._engine.session.run(None, feeds), strict=True
        ):
            self._view(name)[...] = values

    def _view(self, name: str) -> NDArray[Any]:
        shape, kind = tuple(self.get_tensor_shape(name)), nptype(self._engine.tensors[name].dtype)
        count = int(np.prod(shape)) * np.dtype(kind).itemsize
        values: NDArray[Any] = self._machine.at(self._addresses[name])[:count]
        typed: NDArray[Any] = values.view(kind)
        return typed.reshape(shape)


class ICudaEngine:
    machine: Machine

    def __init__(self, plan: bytes, logger: Any, machine: Machine) -> None:
        self._logger, self.machine = logger, machine
        head, _, graph = plan.removeprefix(MARK).partition(b"\n")
        self.profiles = json.loads(head)
        model = onnx.load_model_from_string(graph)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(graph, options, ["CPUExecutionProvider"])
        self.inputs = {value.name: ITensor(value) for value in model.graph.input}
        self.outputs = {value.name: ITensor(value) for value in model.graph.output}
        self.tensors = {**self.inputs, **self.outputs}

    def works(self, event: str, number: int = 0) -> bool:
        """Record a call; if it fails, log the reason, as TensorRT does."""
        return _works(self.machine, self._logger, event, number)

    def get_device_memory_size_for_profile_v2(self, profile_index: int) -> int:
        ((_, (_, _, most)),) = self.profiles[profile_index]
        return int(most[0]) * SCRATCH

    @property
    def num_io_tensors(self) -> int:
        return len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        name: str = list(self.tensors)[index]
        return name

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in self.inputs else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> Dims:
        return self.tensors[name].shape

    def get_tensor_dtype(self, name: str) -> DataType:
        return self.tensors[name].dtype

    def create_execution_context(
        self, strategy: ExecutionContextAllocationStrategy
    ) -> IExecutionContext | None:
        assert strategy == ExecutionContextAllocationStrategy.USER_MANAGED
        return IExecutionContext(self) if self.works("context") else None


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._logger: Any = logger

    @property
    def machine(self) -> Machine:
        """The GPU of this process; `on` replaces it."""
        return ICudaEngine.machine

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        machine = self.machine
        if not _works(machine, self._logger, "load") or not serialized_engine.startswith(MARK):
            return None
        free = machine.load(len(serialized_engine))
        if free is None:
            _log_out_of_memory(self._logger)
            return None
        engine = ICudaEngine(serialized_engine, self._logger, machine)
        weakref.finalize(engine, free).atexit = False
        return engine


def _works(machine: Machine, logger: Any, event: str, number: int = 0) -> bool:
    code = machine.fails(event, number)
    if code == OUT_OF_MEMORY:
        _log_out_of_memory(logger)
    elif code:
        log(logger, "ERROR", f"Error Code 1: Cuda Runtime ({event} failed, {code})")
    return not code


def _log_out_of_memory(logger: Any) -> None:
    """Log as TensorRT does: the last message does not name the cause."""
    log(logger, "ERROR", "[allocate::31] Error Code 1: Cuda Runtime (out of memory)")
    log(logger, "WARNING", "Requested amount of GPU memory (9 bytes) could not be allocated.")
    log(logger, "ERROR", "Error Code 4: Internal Error (Engine deserialization failed.)")
