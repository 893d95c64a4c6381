"""The tables of `bench.host`; every figure is the median of its rounds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import TypeVar

from bench.host.turns import EIGHT_FACES, ONE_FACE, CoresTurn, DeviceTurn, HostTurn
from bench.load import Result
from bench.simulated import Cost

Turn = TypeVar("Turn")
NETWORKS = ("detector", "landmarks", "emotion")
HOST_HEAD = """\
| image and faces | decoding alone, images/s | host, images/s | ratio | CPU ms per image: server, \
clients | p50, p99 ms | rows per batch: detector, landmarks, emotion | MiB | failed |
|---|---|---|---|---|---|---|---|---|"""
CORES_HEAD = """\
| cores of server and clients | host, images/s | over one core |
|---|---|---|"""
DEVICE_HEAD = """\
| best, images/s | service, images/s | share | p50, p99 ms | rows per batch: detector, landmarks, \
emotion | at 70 %, images/s | p50, p99 ms | p99 over p50 | failed |
|---|---|---|---|---|---|---|---|---|"""


def host(turns: Mapping[str, Sequence[HostTurn]]) -> Iterator[str]:
    """Yield the table of the host's cost, and what eight faces cost."""
    yield HOST_HEAD
    for name, found in turns.items():
        decode = middle(found, lambda turn: turn.decode)
        rate = middle(found, lambda turn: turn.load.rate)
        server = middle(found, lambda turn: turn.server_ms)
        clients = middle(found, lambda turn: turn.client_ms)
        loads = [turn.load for turn in found]
        mib = max(turn.used.peak_mib for turn in found)
        failed = sum(load.failed for load in loads)
        yield (
            f"| {name} | {decode:.0f} | {rate:.0f} | {rate / decode:.2f} "
            f"| {server:.2f}, {clients:.2f} | {_times(loads)} | {_batches(found)} "
            f"| {mib:.0f} | {failed} |"
        )
    if {ONE_FACE, EIGHT_FACES} <= set(turns):
        pairs = list(zip(turns[EIGHT_FACES], turns[ONE_FACE], strict=True))
        share = middle(pairs, lambda pair: pair[0].load.rate / pair[1].load.rate)
        yield f"\n640x480 with eight faces over one face: {share:.2f}."


def cores(turns: Sequence[CoresTurn]) -> Iterator[str]:
    """Yield the table of one core and two."""
    ratio = middle(turns, lambda turn: turn.two.rate / turn.one.rate)
    yield CORES_HEAD
    yield f"| 1 | {middle(turns, lambda turn: turn.one.rate):.0f} | 1 |"
    yield f"| 2 | {middle(turns, lambda turn: turn.two.rate):.0f} | {ratio:.2f} |"


def device(turns: Sequence[DeviceTurn], cost: Cost, best: float) -> Iterator[str]:
    """Yield the table of a simulated device that can do `best` images per second."""
    full, steady = [turn.full for turn in turns], [turn.steady for turn in turns]
    rate = middle(full, lambda load: load.rate)
    spread = middle(steady, lambda load: load.quantile(0.99) / load.quantile(0.5))
    failed = sum(load.failed for load in (*full, *steady))
    yield (
        f"Simulated device: {cost.batch_ms:.2f} ms per batch and {cost.row_ms:.2f} ms per image "
        "of the detector.\n"
    )
    yield DEVICE_HEAD
    yield (
        f"| {best:.0f} | {rate:.0f} | {rate / best:.2f} | {_times(full)} | {_batches(turns)} "
        f"| {middle(steady, lambda load: load.rate):.0f} | {_times(steady)} | {spread:.2f} "
        f"| {failed} |"
    )


def middle(turns: Sequence[Turn], value: Callable[[Turn], float]) -> float:
    """The median of a figure over the rounds."""
    return median(value(turn) for turn in turns)


def _batches(turns: Sequence[HostTurn] | Sequence[DeviceTurn]) -> str:
    """Mean rows per batch of each network; "-" for a network that was not used."""
    found = []
    for network in NETWORKS:
        means = [turn.batches[network] for turn in turns if network in turn.batches]
        found.append(f"{median(means):.1f}" if means else "-")
    return ", ".join(found)


def _times(loads: Sequence[Result]) -> str:
    p50, p99 = (median(load.quantile(share) for load in loads) for share in (0.5, 0.99))
    return f"{p50:.0f}, {p99:.0f}"
