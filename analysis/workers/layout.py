"""The processes of a pool: where each network runs, and which worker uses which GPU."""

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import msgspec

from analysis.networks import open_networks
from analysis.plans import ModelPlans
from analysis.workers.handles import ProcessDevice, ProcessWorker, ThreadWorker
from analysis.workers.messages import Setup
from analysis.workers.replica import Replica
from analysis.workers.sockets import address, listen
from analysis.workers.types import Group, Worker, WorkerHandle
from engines.gpus import Gpu
from engines.types import Engine


class DevicePlans(NamedTuple):
    """What a device process opens: its GPU, None if it uses the CPU, and the plans for it."""

    gpu: Gpu | None
    plans: ModelPlans


@dataclass(frozen=True)
class Layout:
    """The processes of the pool of one replica.

    On a CPU each worker runs its own networks. In front of GPUs, one device process per GPU or
    MIG slice runs the networks, and merges the rows of its workers into batches.

    plans: for the first GPU, or for all workers without a device; workers: how many; devices:
    one entry per device process; isolated: whether workers are processes, not threads; capability,
    gpu_memory, jpeg_decoder: see `Setup`.
    """

    engine: Engine
    plans: ModelPlans
    workers: int
    devices: tuple[DevicePlans, ...] = ()
    isolated: bool = True
    capability: str | None = None
    replica: Replica = field(default_factory=Replica)
    gpu_memory: int | None = None
    jpeg_decoder: str | None = None

    def groups(self) -> list[Group]:
        """Make the workers: a group per device or, without devices, a group per worker."""
        if self.devices:
            return [self._device_group(number) for number in range(len(self.devices))]
        return [_group(self._worker()) for _ in range(self.workers)]

    def _worker(self) -> WorkerHandle:
        if self.isolated:
            return ProcessWorker(self.worker_setup)
        return ThreadWorker(partial(open_networks, self.engine, self.plans))

    @property
    def worker_setup(self) -> Setup:
        """For a worker that runs its own networks: all of them share the budget of a GPU."""
        setup, budget = self._setup(self.plans), self.gpu_memory
        if budget is None:
            return setup
        part = -(-budget // (self.workers * self.replica.processes))
        return msgspec.structs.replace(setup, gpu_memory=part)

    def _device_group(self, number: int) -> Group:
        """Make the workers of a device. Replica 0 runs its process; all replicas use it."""
        gpu, plans = self.devices[number]
        shared = self.replica.device_listeners
        listener = shared[number] if shared else listen()
        setup = self._setup(plans, address(listener))
        count = len(range(number, self.workers, len(self.devices)))
        group = _group(*(ProcessWorker(setup) for _ in range(count)))
        if not self.replica.number:
            group.device = ProcessDevice(self._setup(plans), listener, gpu)
        return group

    def _setup(self, plans: ModelPlans, device: str | None = None) -> Setup:
        return Setup(
            self.engine.origin, self.capability, plans, device, self.gpu_memory, self.jpeg_decoder
        )


def _group(*handles: WorkerHandle) -> Group:
    group = Group()
    group.workers = [Worker(handle, group) for handle in handles]
    return group
