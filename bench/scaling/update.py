"""A rolling update under load: which requests are lost, and what prevents it."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.load.loops import open_loop
from bench.load.result import Result
from bench.measure.output import header, row
from bench.measure.ports import free_ports
from bench.scaling.balancer import NO_RETRY, RETRY, balancing
from bench.scaling.deployment import Kind, deployment
from bench.scaling.step import others

# The load is so many pods' worth of images. It is sent in parts, until the update has ended.
PODS, LOAD, PART_S = 3, 1.5, 1.0
DEADLINE_S = 30.0


class Variant(NamedTuple):
    """When a pod gets SIGTERM, when the balancer leaves it out, and whether it tries another pod.

    Seconds count from the decision to stop the pod. `safe`: no request may be lost.
    """

    sleep_s: float
    unrouted_s: float
    retry: str
    safe: bool


VARIANTS = (
    Variant(1.0, 0.0, RETRY, True),
    Variant(1.0, 0.5, NO_RETRY, True),
    Variant(0.0, 0.5, RETRY, False),
    Variant(0.0, 0.5, NO_RETRY, False),
)
HEAD = header(
    "SIGTERM after, s | no longer routed after, s | nginx tries another pod | pods replaced | "
    "requests | lost | pods that did not end with 0 | p99, ms"
)


class Update(NamedTuple):
    """The load, how many pods were replaced, and what went wrong with pods."""

    load: Result
    replaced: int
    errors: list[Exception]

    @property
    def failed(self) -> bool:
        """Whether a request was lost or a pod did not end with 0."""
        return bool(self.load.failed or self.errors)


def row_of(variant: Variant, found: Sequence[Update]) -> str:
    """Some updates as a line of the table."""
    load = Result()
    for each in found:
        load.answers += each.load.answers
        load.errors += each.load.errors
    return row(
        f"{variant.sleep_s:g}",
        f"{variant.unrouted_s:g}",
        "yes" if variant.retry == RETRY else "no",
        sum(each.replaced for each in found),
        f"{load.sent:,}",
        others(load, 200),
        sum(len(each.errors) for each in found),
        f"{load.quantile(0.99):.0f}",
    )


async def measure(
    variant: Variant, image_ms: float, calls: Sequence[bytes], pods: int = PODS
) -> Update:
    """Replace all pods, one by one, under an open-loop load."""
    ports = free_ports(pods + 4)
    kind = Kind(image_ms, DEADLINE_S, variant.sleep_s, variant.unrouted_s)
    load = Result()
    with tempfile.TemporaryDirectory() as folder:
        async with (
            balancing(Path(folder), ports[0], variant.retry) as balancer,
            deployment(balancer, ports[1:], kind, pods) as running,
        ):
            old = {replica.pod for replica in running.replicas}
            update = asyncio.create_task(running.replace())
            rate = LOAD * pods / PODS * 1000 / image_ms
            while not update.done():
                part = await open_loop(balancer.url, calls, rate, PART_S)
                load.answers += part.answers
                load.errors += part.errors
            await update
            replaced = len(old - {replica.pod for replica in running.replicas})
    return Update(load, replaced, running.errors)
