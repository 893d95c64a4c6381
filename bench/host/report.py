"""The tables of `bench.host`; each figure is the median over the rounds."""

from collections.abc import Iterator, Mapping, Sequence

from bench.fakes.device import Cost
from bench.host.rounds import EIGHT_FACES, CoresRound, DeviceRound, HostRound
from bench.inputs.scenes import ONE_FACE
from bench.load.result import latencies, middle
from bench.measure.output import header, row
from bench.measure.service import LOAD_SHARE, Measured, mean_batch

BATCHES = "rows per batch: detector, landmarks, emotion"


def host(found: Mapping[str, Sequence[HostRound]]) -> Iterator[str]:
    """Yield the table of what the host costs, and what eight faces cost."""
    yield header(
        "image and faces | decoding alone, images/s | host, images/s | ratio | "
        f"CPU ms per image: server, clients | p50, p99, ms | {BATCHES} | MiB | failed"
    )
    for name, rounds in found.items():
        services = [each.service for each in rounds]
        loads = [service.load for service in services]
        decode, rate = middle(rounds, lambda each: each.decode), middle(loads, lambda r: r.rate)
        server_ms = middle(services, lambda each: each.server_ms)
        client_ms = middle(services, lambda each: each.client_ms)
        yield row(
            name,
            f"{decode:.0f}",
            f"{rate:.0f}",
            f"{rate / decode:.2f}",
            f"{server_ms:.2f}, {client_ms:.2f}",
            latencies(loads, 50, 99),
            _batches(services),
            f"{max(service.used.peak_mib for service in services):.0f}",
            sum(load.failed for load in loads),
        )
    if {ONE_FACE, EIGHT_FACES} <= set(found):
        pairs = zip(found[EIGHT_FACES], found[ONE_FACE], strict=True)
        share = middle(pairs, lambda pair: pair[0].service.load.rate / pair[1].service.load.rate)
        yield f"\n640x480 with eight faces over one face: {share:.2f}."


def cores(rounds: Sequence[CoresRound]) -> Iterator[str]:
    """Yield the table of one core and two."""
    ratio = middle(rounds, lambda each: each.two.rate / each.one.rate)
    yield header("cores of server and clients | host, images/s | over one core")
    yield row(1, f"{middle(rounds, lambda each: each.one.rate):.0f}", 1)
    yield row(2, f"{middle(rounds, lambda each: each.two.rate):.0f}", f"{ratio:.2f}")


def device(rounds: Sequence[DeviceRound], cost: Cost, best: float) -> Iterator[str]:
    """Yield the table of a simulated device that can do `best` images per second."""
    full, steady = [each.full for each in rounds], [each.steady for each in rounds]
    loads = [each.load for each in full]
    rate = middle(loads, lambda load: load.rate)
    spread = middle(steady, lambda load: load.quantile(0.99) / load.quantile(0.5))
    yield (
        f"Simulated device: {cost.batch_ms:.2f} ms per batch and {cost.row_ms:.2f} ms per image "
        "of the detector.\n"
    )
    yield header(
        f"best, images/s | service, images/s | share | p50, p99, ms | {BATCHES} | "
        f"at {LOAD_SHARE:.0%}, images/s | p50, p99, ms | p99 over p50 | failed"
    )
    yield row(
        f"{best:.0f}",
        f"{rate:.0f}",
        f"{rate / best:.2f}",
        latencies(loads, 50, 99),
        _batches(full),
        f"{middle(steady, lambda load: load.rate):.0f}",
        latencies(steady, 50, 99),
        f"{spread:.2f}",
        sum(load.failed for load in (*loads, *steady)),
    )


def _batches(rounds: Sequence[Measured]) -> str:
    networks = ("detector", "landmarks", "emotion")
    return ", ".join(mean_batch(rounds, network) for network in networks)
