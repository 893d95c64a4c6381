"""Which processes a pool has, and which of them share a GPU."""

from dataclasses import dataclass, field
from functools import partial

from analysis.networks import Plans, opened
from analysis.workers.members import ProcessDevice, ProcessWorker, ThreadWorker, address, listen
from analysis.workers.messages import Setup
from analysis.workers.replica import Replica
from analysis.workers.types import Group, Seat, Worker
from engines.types import Engine


@dataclass(frozen=True)
class Layout:
    """The processes of one replica's pool.

    On a CPU each core has a worker with networks of its own. In front of a GPU workers have none:
    a device process per GPU runs the networks, and merges the rows of its workers into batches.
    Without `isolated` a worker is a thread of this process. `capability` is the compute capability
    that TensorRT-RTX compiled for.
    """

    engine: Engine
    plans: Plans
    workers: int
    devices: int = 0
    isolated: bool = True
    capability: str | None = None
    replica: Replica = field(default_factory=Replica)

    def groups(self) -> list[Group]:
        """Make the workers: one group per device, or one per worker where there is no device."""
        if self.devices:
            return [self._with_device(gpu) for gpu in range(self.devices)]
        return [_group(self._worker()) for _ in range(self.workers)]

    def _worker(self) -> Worker:
        if self.isolated:
            return ProcessWorker(self._setup())
        return ThreadWorker(partial(opened, self.engine, self.plans))

    def _with_device(self, gpu: int) -> Group:
        """Make the workers of a device; replica 0 runs the device process, all replicas use it."""
        listeners = self.replica.devices
        listener = listeners[gpu] if listeners else listen()
        setup = self._setup(gpu, address(listener))
        count = len(range(gpu, self.workers, self.devices))
        group = _group(*(ProcessWorker(setup) for _ in range(count)))
        if not self.replica.number:
            group.device = ProcessDevice(self._setup(gpu), listener)
        return group

    def _setup(self, gpu: int = 0, device: str | None = None) -> Setup:
        return Setup(self.engine.origin, self.capability, gpu, self.plans, device)


def _group(*workers: Worker) -> Group:
    group = Group()
    group.seats = [Seat(worker, group) for worker in workers]
    return group
