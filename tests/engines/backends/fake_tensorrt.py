"""A `tensorrt` whose plan is the ONNX graph, run by ONNX Runtime in the fake GPU's memory.

The classes have the names of TensorRT's; `test_fakes.py` holds them to the real bindings.
"""

import json
from collections.abc import Iterator
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

from tests.engines.backends.fake_cuda import Machine

__version__ = "10.16.1"
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


class INetworkDefinition:
    model: onnx.ModelProto

    @property
    def num_inputs(self) -> int:
        return len(self.model.graph.input)

    def get_input(self, index: int) -> ITensor:
        return ITensor(self.model.graph.input[index])


class OnnxParser:
    num_errors = 1

    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)
        self._network = network

    def parse(self, model: bytes) -> bool:
        self._network.model = onnx.load_model_from_string(model)
        return all(node.op_type != "NonZero" for node in self._network.model.graph.node)

    def get_error(self, index: int) -> str:
        return f"error {index}: NonZero is not supported"


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, Any, Any]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:  # noqa: A002
        self.shapes[input] = (min, opt, max)


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"t"


class IBuilderConfig:
    progress_monitor: Any

    def __init__(self) -> None:
        self.profiles: list[IOptimizationProfile] = []
        self.cleared: list[BuilderFlag] = []

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.cleared.append(flag)

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        return not ignore_mismatch and not cache.content.startswith(b"other GPU")


class Builder:
    def __init__(self, logger: ILogger) -> None:
        self._logger: Any = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        assert config.cleared == [BuilderFlag.TF32]
        monitor = config.progress_monitor
        monitor.phase_start("Building engine", None, 2)
        for step in range(2):
            if not monitor.step_complete("Building engine", step):
                return None
        monitor.phase_finish("Building engine")
        if network.model.graph.name == "unbuildable":
            self._logger.log(type("S", (), {"name": "ERROR"}), "no tactic was found")
            return None
        shapes = [list(profile.shapes.items()) for profile in config.profiles]
        content: bytes = network.model.SerializeToString()
        return MARK + json.dumps(shapes).encode() + b"\n" + content


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
        return True

    def set_device_memory(self, memory: int, size: int) -> None:
        assert len(self._machine.memory[memory]) >= size >= self._engine.device_memory_size_v2
        self._memory = memory

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert self._profile is not None
        least, _, most = dict(self._engine.profiles[self._profile])[name]
        self._rows = shape[0]
        return bool(least[0] <= shape[0] <= most[0]) and list(shape[1:]) == least[1:]

    def infer_shapes(self) -> list[str]:
        return []

    def get_tensor_shape(self, name: str) -> Dims:
        return Dims((self._rows, *tuple(self._engine.tensors[name].shape)[1:]))

    def set_tensor_address(self, name: str, memory: int) -> bool:
        assert memory in self._machine.memory
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert self._memory in self._machine.memory
        self._machine.enter("execute", self._rows)
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
        values: NDArray[Any] = self._machine.memory[self._addresses[name]][:count]
        typed: NDArray[Any] = values.view(kind)
        return typed.reshape(shape)


class ICudaEngine:
    machine: Machine
    device_memory_size_v2 = 4096

    def __init__(self, plan: bytes) -> None:
        head, _, graph = plan.removeprefix(MARK).partition(b"\n")
        self.profiles = json.loads(head)
        model = onnx.load_model_from_string(graph)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(graph, options, ["CPUExecutionProvider"])
        self.inputs = {value.name: ITensor(value) for value in model.graph.input}
        self.outputs = {value.name: ITensor(value) for value in model.graph.output}
        self.tensors = {**self.inputs, **self.outputs}

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
        if "context" in self.machine.failures:
            return None
        assert strategy == ExecutionContextAllocationStrategy.USER_MANAGED
        return IExecutionContext(self)


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        assert isinstance(logger, ILogger)

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        dead = ICudaEngine.machine.dead  # then the real one returns None, too
        return (
            None
            if dead or not serialized_engine.startswith(MARK)
            else ICudaEngine(serialized_engine)
        )
