"""Closed-loop load (a client sends again when it has its answer) and open-loop load.

In an open loop requests arrive at random times (Poisson), whatever the service does. Latency counts
from the time at which a request should have been sent, so a delay in the client counts too.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence

from bench.load.client import TIMEOUT_S, Connection
from bench.load.result import Result


async def closed_loop(
    url: str, calls: Sequence[bytes], clients: int, seconds: float, timeout_s: float = TIMEOUT_S
) -> Result:
    """Run `clients` for `seconds`; each sends the next of `calls` when it has its answer."""
    result, turns, cpu = Result(clients=clients), itertools.cycle(calls), time.process_time()
    started = time.perf_counter()

    async def client() -> None:
        connection = Connection(url, timeout_s)
        while (due := time.perf_counter()) < started + seconds:
            result.add(await connection.send(next(turns)), due, started)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    result.elapsed = time.perf_counter() - started
    result.cpu_s = time.process_time() - cpu
    result.offered = result.sent / result.elapsed
    return result


async def open_loop(
    url: str, calls: Sequence[bytes], rate: float, seconds: float, timeout_s: float = TIMEOUT_S
) -> Result:
    """Send `calls` in turns for `seconds` at `rate` per second, at exponential distances.

    A request takes an idle connection or opens a new one, so it never waits for another.
    """
    result, rng = Result(rate), random.Random(0)  # noqa: S311  (arrival times)
    idle, turns, cpu = list[Connection](), itertools.cycle(calls), time.process_time()
    started = due = time.perf_counter()

    async def one(content: bytes, due: float) -> None:
        connection = idle.pop() if idle else Connection(url, timeout_s)
        result.add(await connection.send(content), due, started)
        idle.append(connection)

    async with asyncio.TaskGroup() as group:
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(next(turns), due))
            due += rng.expovariate(rate)
    for connection in idle:
        connection.close()
    result.elapsed = seconds
    result.cpu_s = time.process_time() - cpu
    return result
