"""`pynvml` for GPUs that are described in lists; a test compares its names with the real ones."""

from dataclasses import dataclass, field
from typing import NamedTuple

NVML_DEVICE_MIG_ENABLE = 1


class NVMLError(Exception):
    """NVML's base class."""


class NVMLError_NotSupported(NVMLError):  # noqa: N801, N818  (NVML's names)
    """The GPU lacks a feature."""


class NVMLError_NotFound(NVMLError):  # noqa: N801, N818  (NVML's names)
    """There is no such slice."""


class Memory(NamedTuple):
    total: int


@dataclass
class Device:
    """A GPU, or a slice: `mig` is None if the GPU does not know MIG; None in `slices` is a gap.

    `memory` is None if the GPU shares the memory of the machine; a `lost` one does not answer.
    """

    uuid: str
    name: str = "NVIDIA L4"
    capability: tuple[int, int] = (8, 9)
    memory: int | None = 24 << 30
    mig: bool | None = None
    slices: "list[Device | None]" = field(default_factory=list)
    lost: bool = False


class Nvml:
    """The module, for some GPUs; `failure` is raised at the start."""

    NVMLError = NVMLError
    NVMLError_NotSupported = NVMLError_NotSupported
    NVMLError_NotFound = NVMLError_NotFound
    NVML_DEVICE_MIG_ENABLE = NVML_DEVICE_MIG_ENABLE

    def __init__(self, *devices: Device, failure: str | None = None) -> None:
        self._devices, self._failure = devices, failure
        self.started = 0

    def nvmlInit(self) -> None:  # noqa: N802
        if self._failure:
            raise NVMLError(self._failure)
        self.started += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.started -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        assert self.started
        return len(self._devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802
        device = self._devices[index]
        if device.lost:
            raise NVMLError("GPU is lost")
        return device

    def nvmlDeviceGetName(self, handle: Device) -> str:  # noqa: N802
        return handle.name

    def nvmlDeviceGetUUID(self, handle: Device) -> str:  # noqa: N802
        return handle.uuid

    def nvmlDeviceGetCudaComputeCapability(self, handle: Device) -> list[int]:  # noqa: N802
        assert handle in self._devices, "not of a slice"
        return list(handle.capability)

    def nvmlDeviceGetMemoryInfo(self, handle: Device) -> Memory:  # noqa: N802
        if handle.memory is None:
            raise NVMLError_NotSupported("Not Supported")
        return Memory(handle.memory)

    def nvmlDeviceGetMigMode(self, device: Device) -> list[int]:  # noqa: N802
        if device.mig is None:
            raise NVMLError_NotSupported("Not Supported")
        return [int(device.mig), int(device.mig)]

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Device) -> int:  # noqa: N802
        return len(device.slices)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Device, index: int) -> Device:  # noqa: N802
        found = device.slices[index]
        if found is None:
            raise NVMLError_NotFound("Not Found")
        return found
