"""Rounds of all servers in turns, each alone on the machine, beside the limit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.limit import images_a_second
from bench.load import closed_loop
from bench.peers.peer import Peer, running
from bench.processes import pinned, watching
from bench.wire import run
from service.settings import Settings

CLIENTS = 32
WARM_UP_S = 2.0
PORT = 8790


class Turn(NamedTuple):
    """One server under load: images a second, latencies in ms, CPU and memory, what failed."""

    rate: float
    p50: float
    p95: float
    p99: float
    cpu_ms: float
    mib: float
    failed: int


class Found(NamedTuple):
    """What was measured: the limit in images a second, and each server, round by round."""

    limits: list[float]
    turns: dict[str, list[Turn]]

    @property
    def limit(self) -> float:
        """The median over the rounds."""
        return median(self.limits)

    def middle(self, name: str) -> Turn:
        """Each figure's median over the rounds."""
        return Turn(*(median(figures) for figures in zip(*self.turns[name], strict=True)))


def rounds(
    peers: Sequence[Peer], body: bytes, *, count: int, seconds: float, cores: set[int], logs: Path
) -> Iterator[tuple[int, Found]]:
    """Yield what is known after each round; every round begins with another server.

    Servers and limit have the CPUs `cores` (they count those), clients have all.
    """
    settings = Settings()
    found = Found([], {peer.name: [] for peer in peers})
    for turn in range(count):
        with pinned(cores):
            found.limits.append(images_a_second(settings, body, seconds).images)
        start = turn % len(peers)
        for peer in (*peers[start:], *peers[:start]):
            found.turns[peer.name].append(_turn(peer, body, seconds, cores, logs))
        yield turn + 1, found


def _turn(peer: Peer, body: bytes, seconds: float, cores: set[int], logs: Path) -> Turn:
    with running(peer, PORT, logs / f"{peer.name}.log", body, cores) as process:
        url, calls = f"http://127.0.0.1:{PORT}", [peer.call(body)]
        run(closed_loop(url, calls, CLIENTS, min(seconds, WARM_UP_S)))
        with watching(process.pid) as usage:
            result = run(closed_loop(url, calls, CLIENTS, seconds))
        p50, p95, p99 = (result.quantile(share) for share in (0.5, 0.95, 0.99))
        cpu_ms = 1000 * usage.cpu_s / max(1, result.sent - result.failed)
        return Turn(result.rate, p50, p95, p99, cpu_ms, usage.peak_mib, result.failed)
