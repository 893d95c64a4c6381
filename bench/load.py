"""Clients of a running service: closed loop (each sends again when answered) or open loop.

`python -m bench.load URL --clients 32` or `--rate 40`; prints one line of figures. In the open loop
requests come at random moments (Poisson) whatever the service does, and time counts from the moment
a request should have left: waiting in the client is waiting.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import httpx
import numpy as np

from bench.scenes import SIZES, scene


class Call(NamedTuple):
    """How an image is sent: by default as it is, to this service."""

    body: bytes
    path: str = "/v1/emotions"
    headers: Mapping[str, str] = MappingProxyType({"content-type": "image/jpeg"})


@dataclass
class Result:
    """What came back: seconds of each good answer, and how many were refused or failed."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.seconds) / self.elapsed

    def quantile(self, share: float) -> float:
        """Milliseconds that this share of the good answers took at most."""
        return float(np.quantile(self.seconds, share)) * 1000 if self.seconds else float("nan")


async def closed_loop(url: str, calls: Sequence[Call], clients: int, seconds: float) -> Result:
    """Run `clients` that send one request after another for `seconds`."""
    result = Result()
    async with _client(url, clients) as http:
        started = time.perf_counter()

        async def client(number: int) -> None:
            turn = number
            while time.perf_counter() < started + seconds:
                await _send(http, calls[turn % len(calls)], time.perf_counter(), result)
                turn += 1

        await asyncio.gather(*(client(number) for number in range(clients)))
        result.elapsed = time.perf_counter() - started
    return result


async def open_loop(url: str, calls: Sequence[Call], rate: float, seconds: float) -> Result:
    """Send at `rate` requests a second for `seconds`, at exponentially distributed distances."""
    result, rng = Result(), random.Random(0)  # noqa: S311  (arrivals, not secrets)
    async with _client(url, 1000) as http, asyncio.TaskGroup() as group:
        started = due = time.perf_counter()
        turn = 0
        while due < started + seconds:
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(_send(http, calls[turn % len(calls)], due, result))
            turn += 1
            due += rng.expovariate(rate)
        result.elapsed = time.perf_counter() - started
    return result


def _client(url: str, connections: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections)
    return httpx.AsyncClient(base_url=url, limits=limits, timeout=60)


async def _send(http: httpx.AsyncClient, call: Call, due: float, result: Result) -> None:
    answer = await http.post(call.path, content=call.body, headers=dict(call.headers))
    status = answer.status_code
    result.statuses[status] = result.statuses.get(status, 0) + 1
    if status == httpx.codes.OK:
        result.seconds.append(time.perf_counter() - due)


def main() -> None:
    """Load the service at a url and print what it did."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--clients", type=int, default=32)
    arguments.add_argument("--rate", type=float, help="open loop, requests a second")
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--scene", choices=[*SIZES, "mixed"], default="640x480, 1 face")
    given = arguments.parse_args()
    calls = [Call(scene(name)) for name in (SIZES if given.scene == "mixed" else [given.scene])]
    run = (
        open_loop(given.url, calls, given.rate, given.seconds)
        if given.rate
        else closed_loop(given.url, calls, given.clients, given.seconds)
    )
    result = asyncio.run(run)
    quantiles = ", ".join(f"p{q} {result.quantile(q / 100):.1f} ms" for q in (50, 95, 99))
    print(f"{result.rate:.1f} answers/s, {quantiles}, statuses {result.statuses}")


if __name__ == "__main__":
    main()
