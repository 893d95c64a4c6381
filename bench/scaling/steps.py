"""A load that changes in steps, and a loop that scales the pods."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench.load.loops import closed_loop, open_loop
from bench.load.result import Result
from bench.measure.ports import free_ports
from bench.scaling.balancer import balancing
from bench.scaling.deployment import Deployment, Kind, deployment
from bench.scaling.manifest import Manifest
from bench.scaling.prometheus import Prometheus, scraping
from bench.scaling.rule import Autoscaler
from bench.scaling.step import Moment, Step

# Seconds in a cluster: between two scrapes, between two decisions of the HorizontalPodAutoscaler,
# until a request is too late, and from the decision to stop a pod until its SIGTERM.
SCRAPE_S = SYNC_S = 15.0
DEADLINE_S, SLEEP_S = 30.0, 10.0
# Clients and seconds of the closed loop that measures the capacity of a pod.
CLIENTS, CAPACITY_S = 8, 1.0


class Plan(NamedTuple):
    """The loads of the steps in pods' worth, the seconds of each, and how much time is divided."""

    loads: Sequence[float]
    seconds: float
    factor: float
    image_ms: float

    @property
    def second_scrape_s(self) -> float:
        """Seconds from a step to the second scrape after it, at the latest."""
        return 2 * SCRAPE_S / self.factor


class Trial(NamedTuple):
    """All steps, the images per second of one pod, and what went wrong with pods."""

    steps: list[Step]
    capacity: float
    errors: list[Exception]


async def measure(manifest: Manifest, plan: Plan, calls: Sequence[bytes]) -> Trial:
    """Run the steps one after the other, from the smallest number of pods on."""
    ports = free_ports(2 * manifest.rule.maximum + 2)
    kind = Kind(plan.image_ms, DEADLINE_S / plan.factor, SLEEP_S / plan.factor)
    targets = [f"127.0.0.1:{port}" for port in ports[2:]]
    with tempfile.TemporaryDirectory() as folder:
        async with (
            balancing(Path(folder), ports[0]) as balancer,
            scraping(Path(folder), ports[1], targets, SCRAPE_S / plan.factor) as prometheus,
            deployment(balancer, ports[2:], kind, manifest.rule.minimum) as pods,
        ):
            one = f"http://{pods.replicas[0].pod.address}"
            capacity = (await closed_loop(one, calls, CLIENTS, CAPACITY_S)).rate
            await asyncio.sleep(60 / plan.factor)  # the queries look back as far
            async with _scaling(manifest, plan, pods, prometheus) as moments:
                began = asyncio.get_running_loop().time()
                loads = await _loads(balancer.url, plan, capacity, calls)
    found = []
    for number, (load, result) in enumerate(zip(plan.loads, loads, strict=True)):
        times = began + number * plan.seconds, began + (number + 1) * plan.seconds
        within = [each for each in moments if times[0] <= each.at < times[1]]
        found.append(Step(load, result, within))
    return Trial(found, capacity, pods.errors)


async def _loads(url: str, plan: Plan, capacity: float, calls: Sequence[bytes]) -> list[Result]:
    """Run the loads; each begins on time, although answers to the one before may be missing."""

    async def one(number: int, load: float) -> Result:
        await asyncio.sleep(number * plan.seconds)
        return await open_loop(url, calls, load * capacity, plan.seconds)

    return await asyncio.gather(*(one(*each) for each in enumerate(plan.loads)))


@asynccontextmanager
async def _scaling(
    manifest: Manifest, plan: Plan, pods: Deployment, prometheus: Prometheus
) -> AsyncIterator[list[Moment]]:
    """Decide again and again in the block, as the HorizontalPodAutoscaler does."""
    autoscaler, loop = Autoscaler(manifest.rule), asyncio.get_running_loop()
    moments: list[Moment] = []
    ended = False

    async def decide() -> None:
        while not ended:
            found = {name: await prometheus.query(q) for name, q in manifest.queries.items()}
            values = {name: value for name, value in found.items() if value is not None}
            now, current = loop.time(), len(pods.replicas)
            pods.scale(autoscaler.decide(now, current, values))
            moments.append(Moment(now, len(pods.replicas), pods.ready, values))
            await asyncio.sleep(SYNC_S / plan.factor - (loop.time() - now))

    async with asyncio.TaskGroup() as group:
        group.create_task(decide())
        yield moments
        ended = True
