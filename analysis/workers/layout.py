"""The processes of a pool, and which of them share a GPU."""

from dataclasses import dataclass, field
from functools import partial

from analysis.networks import open_networks
from analysis.plans import ModelPlans
from analysis.workers.handles import ProcessDevice, ProcessWorker, ThreadWorker
from analysis.workers.messages import Setup
from analysis.workers.replica import Replica
from analysis.workers.sockets import address, listen
from analysis.workers.types import Group, Worker, WorkerHandle
from engines.types import Engine


@dataclass(frozen=True)
class Layout:
    """The processes of the pool of one replica.

    On a CPU each worker has networks of its own. In front of GPUs, one device process per GPU runs
    the networks, and merges the rows of its workers into batches.

    workers, devices: how many; isolated: whether workers are processes, not threads; capability:
    the compute capability that TensorRT-RTX compiled for.
    """

    engine: Engine
    plans: ModelPlans
    workers: int
    devices: int = 0
    isolated: bool = True
    capability: str | None = None
    replica: Replica = field(default_factory=Replica)

    def groups(self) -> list[Group]:
        """Make the workers: a group per device or, without devices, a group per worker."""
        if self.devices:
            return [self._device_group(gpu) for gpu in range(self.devices)]
        return [_group(self._worker()) for _ in range(self.workers)]

    def _worker(self) -> WorkerHandle:
        if self.isolated:
            return ProcessWorker(self._setup())
        return ThreadWorker(partial(open_networks, self.engine, self.plans))

    def _device_group(self, gpu: int) -> Group:
        """Make the workers of a device. Replica 0 runs its process; all replicas use it."""
        shared = self.replica.device_listeners
        listener = shared[gpu] if shared else listen()
        setup = self._setup(gpu, address(listener))
        count = len(range(gpu, self.workers, self.devices))
        group = _group(*(ProcessWorker(setup) for _ in range(count)))
        if not self.replica.number:
            group.device = ProcessDevice(self._setup(gpu), listener)
        return group

    def _setup(self, gpu: int = 0, device: str | None = None) -> Setup:
        return Setup(self.engine.origin, self.capability, gpu, self.plans, device)


def _group(*handles: WorkerHandle) -> Group:
    group = Group()
    group.workers = [Worker(handle, group) for handle in handles]
    return group
