"""The Python module of TensorRT 10.12 to 11 or of TensorRT-RTX, which has the same names."""

import functools
import importlib
import logging
import re
import threading
from typing import TYPE_CHECKING, Any, Protocol, cast

from engines.errors import EngineError, GpuMemoryError, GpuMissingError, RunnerError
from engines.memory import ADVICE

if TYPE_CHECKING:
    import tensorrt as trt

log = logging.getLogger("emotions.tensorrt")

MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx_bindings"}
OLDEST, TOO_NEW = (10, 12), (12,)
# What TensorRT reports, in errors or warnings, if it finds no memory on the GPU.
OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|could not be allocated|error allocating", re.IGNORECASE
)


class Library(Protocol):
    """The names that this package uses, with the types of TensorRT's own bindings."""

    __version__: str
    Builder: "type[trt.Builder]"
    BuilderFlag: "type[trt.BuilderFlag]"
    ExecutionContextAllocationStrategy: "type[trt.ExecutionContextAllocationStrategy]"
    ILogger: "type[trt.ILogger]"
    IProgressMonitor: "type[trt.IProgressMonitor]"
    NetworkDefinitionCreationFlag: "type[trt.NetworkDefinitionCreationFlag]"
    OnnxParser: "type[trt.OnnxParser]"
    Runtime: "type[trt.Runtime]"
    TensorIOMode: "type[trt.TensorIOMode]"

    def nptype(self, trt_type: "trt.DataType") -> type:
        """The numpy type of a tensor's type."""

    def __hash__(self) -> int: ...


def load_library(name: str) -> Library:
    """Import the module of the engine `name`.

    Raises:
        GpuMissingError: it is not installed.
        EngineError: it is too old or too new.
    """
    try:
        library = cast(Library, importlib.import_module(MODULES[name]))
    except (ImportError, OSError) as error:
        raise GpuMissingError(
            f"the library of {name} is not installed here ({error}); docs/tensorrt.md shows how to "
            "install it, and docker/Dockerfile.gpu builds an image with it"
        ) from error
    version = tuple(int(part) for part in library.__version__.split(".")[:2])
    if name == "tensorrt" and not OLDEST <= version < TOO_NEW:
        raise EngineError(
            f"TensorRT {library.__version__} is not supported: 10.12 to 11 are; "
            "build the image of docker/Dockerfile.gpu"
        )
    return library


def compute_capability(library: Any, capability: str) -> Any:
    """TensorRT-RTX's constant for a compute capability, e.g. `8.9`; None if it lacks one."""
    return getattr(library.ComputeCapability, "SM" + capability.replace(".", ""), None)


def compute_capabilities(library: Any) -> list[str]:
    """Names of the compute capabilities that TensorRT-RTX supports, e.g. `SM89`."""
    return sorted(name for name in library.ComputeCapability.__members__ if name[:2] == "SM")


class Reasons(threading.local):
    """The messages about failures in this thread: TensorRT logs in the thread that calls it."""

    last_error = "no reason given"
    out_of_memory = ""  # the first message about it since `failure` took one


class _Logger:
    """Passes the library's messages to Python's logging, and keeps those about failures."""

    def __init__(self) -> None:
        super().__init__()  # the library's class, the other base of `logger`
        self.reasons = Reasons()

    def log(self, severity: Any, msg: str) -> None:
        reasons = self.reasons
        if OUT_OF_MEMORY.search(msg):
            reasons.out_of_memory = reasons.out_of_memory or msg
        match severity.name:
            case "ERROR" | "INTERNAL_ERROR":
                reasons.last_error = msg
                log.error("%s", msg)
            case "WARNING":
                log.warning("%s", msg)
            case _:
                log.debug("%s", msg)


@functools.cache
def logger(library: Any) -> Any:
    """The one logger of a library: TensorRT accepts one per process."""
    return subclass(_Logger, library.ILogger)()


def reasons_of(library: Library) -> Reasons:
    """What the library has logged in this thread."""
    found: Reasons = logger(library).reasons
    return found


def check(library: Library, done: bool, what: str) -> None:
    """Check what a call of TensorRT returned.

    Raises:
        GpuMemoryError, RunnerError: see `failure`.
    """
    if not done:
        raise failure(library, what)


def failure(library: Library, what: str) -> RunnerError:
    """The error for a call that failed: TensorRT returns no reason, but logs one.

    Error codes do not distinguish a failed allocation: it has the code of `Cuda Runtime`.
    """
    reasons = reasons_of(library)
    found, reasons.out_of_memory = reasons.out_of_memory, ""
    if found:
        return GpuMemoryError(f"too little GPU memory for {what} ({found}); {ADVICE}")
    return RunnerError(f"TensorRT failed: {what} ({reasons.last_error})")


def subclass(methods: type, base: type) -> Any:
    """A subclass of `base`, a library class known only at run time, with the methods of ours."""
    return type(methods.__name__, (methods, base), {})
