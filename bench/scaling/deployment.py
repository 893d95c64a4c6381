"""Keeps as many pods as wanted behind a balancer, and replaces them, as a Deployment does."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from bench.scaling.balancer import Balancer
from bench.scaling.pods import Pod


class Kind(NamedTuple):
    """What its pods are like: milliseconds per image, and the times of their end in seconds.

    `sleep_s`: from the decision to stop a pod until its SIGTERM, the `preStop` hook;
    `unrouted_s`: from the same decision until the balancer stops routing requests to it.
    """

    image_ms: float
    deadline_s: float
    sleep_s: float
    unrouted_s: float = 0.0


@dataclass(eq=False)
class Replica:
    """A pod and whether it is ready, which also means that it is in the balancer's list."""

    pod: Pod
    ready: bool = False


class Deployment:
    """Pods on some ports. A port is used again as late as possible, like an address of a cluster.

    `replicas` are the wanted pods, oldest first, ready or not; `errors` is what went wrong.
    """

    def __init__(self, balancer: Balancer, ports: Iterable[int], kind: Kind) -> None:
        self.replicas: list[Replica] = []
        self.errors: list[Exception] = []
        self._balancer, self._ports, self._kind = balancer, deque(ports), kind
        self._pods: list[Pod] = []
        self._routed: list[Pod] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> int:
        """How many of the wanted pods are ready."""
        return sum(replica.ready for replica in self.replicas)

    def scale(self, wanted: int) -> None:
        """Start pods, or stop the newest."""
        while len(self.replicas) < wanted:
            self._add()
        while len(self.replicas) > wanted:
            self._remove(self.replicas[-1])

    async def settle(self) -> None:
        """Wait until all pods have started or ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def replace(self) -> None:
        """A rolling update: maxSurge 1, maxUnavailable 0. Each pod also ends before the next."""
        for old in list(self.replicas):
            self._add()
            await self.settle()
            self._remove(old)
        await self.settle()

    def kill(self) -> None:
        """End all processes at once."""
        for task in self._tasks:
            task.cancel()
        for pod in self._pods:
            pod.kill()

    def _add(self) -> None:
        pod = Pod(self._ports.popleft(), self._kind.image_ms, self._kind.deadline_s)
        replica = Replica(pod)
        self.replicas.append(replica)
        self._pods.append(pod)
        self._spawn(self._start(replica))

    def _remove(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        self._spawn(self._unroute(replica.pod))
        self._spawn(self._stop(replica.pod))

    async def _start(self, replica: Replica) -> None:
        await replica.pod.start()
        if replica in self.replicas:
            replica.ready = True
            self._routed.append(replica.pod)
            self._balancer.route(pod.address for pod in self._routed)

    async def _unroute(self, pod: Pod) -> None:
        await asyncio.sleep(self._kind.unrouted_s)
        if pod in self._routed:
            self._routed.remove(pod)
            self._balancer.route(pod.address for pod in self._routed)

    async def _stop(self, pod: Pod) -> None:
        await asyncio.sleep(self._kind.sleep_s)
        await pod.stop()
        self._ports.append(pod.port)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        async def caught() -> None:
            try:
                await work
            except Exception as error:  # reported at the end
                self.errors.append(error)

        task = asyncio.create_task(caught())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def deployment(
    balancer: Balancer, ports: Iterable[int], kind: Kind, pods: int
) -> AsyncIterator[Deployment]:
    """Run a deployment, with so many ready pods, in the block."""
    running = Deployment(balancer, ports, kind)
    try:
        running.scale(pods)
        await running.settle()
        if running.errors:
            raise running.errors[0]
        await balancer.ready()
        yield running
        running.scale(0)
        await running.settle()
    finally:
        running.kill()
