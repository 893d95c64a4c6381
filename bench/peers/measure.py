"""Rounds of all servers in turns, each alone on the machine, beside the limit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.limit.rounds import plain
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.measure.processes import pinned, watching
from bench.measure.service import Measured, warm_up
from bench.peers.peer import Peer, running
from service.settings import Settings

CLIENTS, PORT = 32, 8790


class Measurement(NamedTuple):
    """How to measure: rounds, seconds per load, CPUs of servers and limit, folder for logs.

    Servers and limit run one process per CPU. The clients may use all CPUs.
    """

    rounds: int
    seconds: float
    cores: set[int]
    logs: Path


class Found(NamedTuple):
    """The limit in images per second, and each server, round by round."""

    limits: list[float]
    servers: dict[str, list[Measured]]


def rounds(peers: Sequence[Peer], body: bytes, plan: Measurement) -> Iterator[tuple[int, Found]]:
    """Yield the results after each round; every round begins with another server."""
    found = Found([], {peer.name: [] for peer in peers})
    for number in range(plan.rounds):
        with pinned(plan.cores):
            found.limits.append(plain(Settings(), body, plan.seconds).images)
        start = number % len(peers)
        for peer in (*peers[start:], *peers[:start]):
            found.servers[peer.name].append(_measured(peer, body, plan))
        yield number + 1, found


def _measured(peer: Peer, body: bytes, plan: Measurement) -> Measured:
    log, calls = plan.logs / f"{peer.name}.log", [peer.call(body)]
    with running(peer, PORT, log, body, plan.cores) as process:
        url = f"http://127.0.0.1:{PORT}"
        warm_up(url, calls, CLIENTS, plan.seconds)
        with watching(process.pid) as used:
            load = run(closed_loop(url, calls, CLIENTS, plan.seconds))
    return Measured(load, used, {})
