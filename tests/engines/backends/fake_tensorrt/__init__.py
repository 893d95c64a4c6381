"""A `tensorrt` whose plan is the ONNX graph, run by ONNX Runtime in the fake GPU's memory.

The classes have the names of TensorRT's; `test_fakes.py` holds them to the real bindings.
"""

from types import ModuleType

from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.fake_tensorrt.builder import (
    Builder,
    IBuilderConfig,
    INetworkDefinition,
    IOptimizationProfile,
    ITimingCache,
    OnnxParser,
)
from tests.engines.backends.fake_tensorrt.runtime import (
    ICudaEngine,
    IExecutionContext,
    Runtime,
)
from tests.engines.backends.fake_tensorrt.types import (
    BuilderFlag,
    DataType,
    Dims,
    ExecutionContextAllocationStrategy,
    ILogger,
    IProgressMonitor,
    ITensor,
    NetworkDefinitionCreationFlag,
    TensorIOMode,
    nptype,
)

__all__ = [
    "Builder",
    "BuilderFlag",
    "DataType",
    "Dims",
    "ExecutionContextAllocationStrategy",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITensor",
    "ITimingCache",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "Runtime",
    "TensorIOMode",
    "nptype",
    "on",
]
__version__ = "10.16.1"


def on(machine: Machine) -> ModuleType:
    """Return a copy of this module for one GPU."""

    class RuntimeThere(Runtime):
        @property
        def machine(self) -> Machine:
            return machine

    module = ModuleType("tensorrt")
    module.__dict__.update(globals() | {"Runtime": RuntimeThere})
    return module
