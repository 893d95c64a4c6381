"""The GPUs and MIG slices of this machine, by NVML, NVIDIA's library of `nvidia-smi`.

NVML creates no CUDA context and sees all slices. A CUDA process uses at most one slice, so each GPU
or slice gets a process with its UUID in `CUDA_VISIBLE_DEVICES`.
"""

import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from engines.errors import GpuMissingError

log = logging.getLogger("emotions.gpus")
VISIBLE = "CUDA_VISIBLE_DEVICES"
# The beginnings of UUIDs.
PREFIXES = ("GPU-", "MIG-")


class Gpu(NamedTuple):
    """A GPU or a MIG slice.

    uuid: as in `nvidia-smi -L`; name: that of a slice contains its profile, e.g. `NVIDIA
    A100-SXM4-40GB MIG 1g.5gb`; capability: compute capability, e.g. `8.9`; memory: in bytes, the
    machine's if GPU and CPU share it.
    """

    uuid: str
    name: str
    capability: str
    memory: int

    @property
    def kind(self) -> tuple[str, str]:
        """Name and compute capability: GPUs of one kind share plans."""
        return self.name, self.capability


def visible() -> tuple[Gpu, ...]:
    """Return the GPUs that this process may use, in the order of `nvidia-smi`, at least one.

    A GPU in MIG mode is replaced by its slices, and a lost GPU is left out. `CUDA_VISIBLE_DEVICES`
    restricts and orders them: numbers count in the order of `nvidia-smi`, and the beginning of a
    UUID is enough if no other UUID begins so.

    Raises:
        GpuMissingError: there is no GPU, driver or NVML.
    """
    wanted = os.environ.get(VISIBLE)  # noqa: TID251  (CUDA's own variable)
    with _nvml() as nvml:
        groups = [_gpus_at(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    found = _allowed(groups, wanted)
    if not found:
        without = f" that {VISIBLE}={wanted} allows" if wanted is not None else ""
        raise GpuMissingError(f"there is no GPU{without}")
    return found


def one_per_kind(gpus: Sequence[Gpu]) -> list[Gpu]:
    """Return the first GPU of each kind."""
    kinds: dict[tuple[str, str], Gpu] = {}
    for gpu in gpus:
        kinds.setdefault(gpu.kind, gpu)
    return list(kinds.values())


def without_obstacle(
    gpus: tuple[Gpu, ...], obstacle: Callable[[Gpu], str | None]
) -> tuple[Gpu, ...]:
    """Return the GPUs for which `obstacle` is None, or all if it is None for none of them."""
    obstacles = {gpu: obstacle(gpu) for gpu in gpus}
    found = tuple(gpu for gpu, reason in obstacles.items() if reason is None)
    if not found:
        return gpus
    for gpu, reason in obstacles.items():
        if reason is not None:
            log.warning("%s (%s) is left out: %s", gpu.name, gpu.uuid, reason)
    return found


def too_old(gpu: Gpu, oldest: str, library: str) -> str | None:
    """Why `library` cannot use a GPU: its compute capability is less than `oldest`; else None."""
    if _version(gpu.capability) >= _version(oldest):
        return None
    return f"{library} needs compute capability {oldest} or more; the GPU has {gpu.capability}"


def _version(capability: str) -> tuple[int, ...]:
    return tuple(map(int, capability.split(".")))


def restrict(gpu: Gpu) -> None:
    """Let CUDA see only this GPU, as device 0. Call it before CUDA starts in this process."""
    os.environ[VISIBLE] = gpu.uuid  # noqa: TID251  (CUDA's own variable)


def only(*gpus: Gpu) -> dict[str, str]:
    """Return the environment of a process that may use only these GPUs."""
    uuids = ",".join(gpu.uuid for gpu in gpus)
    return os.environ | {VISIBLE: uuids}  # noqa: TID251  (CUDA's own variable)


@contextmanager
def _nvml() -> Iterator[Any]:
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError as error:
        raise GpuMissingError(
            "no GPU can be used: nvidia-ml-py is not installed; `pip install '.[gpu]'`"
        ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise GpuMissingError(f"no GPU can be used: {error}") from error
    try:
        yield nvml
    except nvml.NVMLError as error:
        raise GpuMissingError(f"the GPUs cannot be listed: {error}") from error
    finally:
        nvml.nvmlShutdown()


def _gpus_at(nvml: Any, index: int) -> list[Gpu]:
    """Return a GPU or its slices; none if the GPU does not answer, so that the others are used."""
    try:
        return _gpus(nvml, index)
    except nvml.NVMLError as error:
        log.warning("GPU %d is left out: %s", index, error)
        return []


def _gpus(nvml: Any, index: int) -> list[Gpu]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    handles = [handle]
    if _sliced(nvml, handle):
        handles = list(_slices(nvml, handle))
    return [
        Gpu(
            nvml.nvmlDeviceGetUUID(each),
            nvml.nvmlDeviceGetName(each),
            f"{major}.{minor}",
            _memory(nvml, each),
        )
        for each in handles
    ]


def _memory(nvml: Any, handle: Any) -> int:
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError_NotSupported:  # it shares the memory of the machine, as GB10 does
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _sliced(nvml: Any, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError_NotSupported:
        return False
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _slices(nvml: Any, handle: Any) -> Iterator[Any]:
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError_NotFound:
            continue


def _allowed(groups: list[list[Gpu]], wanted: str | None) -> tuple[Gpu, ...]:
    """Return the GPUs that a value of `CUDA_VISIBLE_DEVICES` allows; `groups` are one per GPU.

    As in CUDA, an entry that names no GPU, or the beginning of several UUIDs, hides itself and all
    after it. The number of a GPU that is left out hides nothing.
    """
    every = [gpu for group in groups for gpu in group]
    if wanted is None:
        return tuple(every)
    chosen: list[Gpu] = []
    for entry in wanted.split(","):
        matching = _matching(groups, every, entry.strip())
        if matching is None:
            break
        chosen += matching
    return tuple(dict.fromkeys(chosen))


def _matching(groups: list[list[Gpu]], every: list[Gpu], entry: str) -> list[Gpu] | None:
    if entry.isdecimal():
        numbers = {str(number): group for number, group in enumerate(groups)}
        return numbers.get(entry.lstrip("0") or "0")
    found = [gpu for gpu in every if gpu.uuid.startswith(entry)]
    return found if len(found) == 1 and entry.startswith(PREFIXES) else None
