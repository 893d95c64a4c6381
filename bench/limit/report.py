"""The results of `python -m bench` as Markdown tables and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.inputs.scenes import ONE_FACE
from bench.limit.rounds import Round
from bench.load.result import latencies, middle, percentiles
from bench.measure.output import OTHERS_COLOUR, OURS_COLOUR, header, picture, row
from bench.measure.service import LOAD_SHARE, mean_batch

Found = Mapping[str, Sequence[Round]]
NETWORKS = ("detector", "landmarks", "emotion", "embedder")
MB_PER_MIB = 2**20 / 1e6
STEADY = f"open loop at {LOAD_SHARE:.0%}"


class Figure(NamedTuple):
    """A figure that has a target."""

    name: str
    value: float
    unit: str
    target: str

    def __str__(self) -> str:
        return row(self.name, f"{self.value:.2f} {self.unit}", self.target)


def clients(found: Found) -> int | None:
    """The number of clients of the closed loops."""
    return next(iter(found.values()))[0].many.load.clients


def throughput(found: Found) -> Iterator[str]:
    """Yield the table of rates and latencies."""
    yield header(
        f"images | decoding alone, images/s | limit, images/s | {clients(found)} clients, images/s"
        " | share of the limit | their p50, p95, p99, ms | 1 client: p50, p95, p99, ms"
        f" | {STEADY}: p50, p95, p99, ms | failed"
    )
    for name, rounds in found.items():
        yield row(
            name,
            f"{middle(rounds, lambda r: r.limit.decoded):.0f}",
            f"{middle(rounds, lambda r: r.limit.images):.1f}",
            f"{middle(rounds, lambda r: r.many.load.rate):.1f}",
            f"{middle(rounds, lambda r: r.share):.2f}",
            latencies([r.many.load for r in rounds], 50, 95, 99),
            latencies([r.one for r in rounds], 50, 95, 99),
            latencies([r.steady for r in rounds], 50, 95, 99),
            sum(r.failed for r in rounds),
        )


def cost(found: Found) -> Iterator[str]:
    """Yield the table of what the service, with its child processes, used under many clients."""
    every = [r.many.batches for rounds in found.values() for r in rounds]
    networks = [name for name in NETWORKS if any(name in batches for batches in every)]
    sizes = "".join(f" | items per batch: {network}" for network in networks)
    yield header(f"images | CPU ms per image | of the clients | peak memory, MiB{sizes}")
    for name, rounds in found.items():
        manys = [r.many for r in rounds]
        yield row(
            name,
            f"{middle(manys, lambda many: many.server_ms):.1f}",
            f"{middle(manys, lambda many: many.client_ms):.2f}",
            f"{peak_mib(rounds):.0f}",
            *(mean_batch(manys, network) for network in networks),
        )


def peak_mib(rounds: Sequence[Round]) -> float:
    """The highest peak memory of all rounds."""
    return max(r.many.used.peak_mib for r in rounds)


def targets(found: Found) -> Iterator[Figure]:
    """Yield the figures of the tables that have a target."""
    if ONE_FACE in found:
        rounds = found[ONE_FACE]
        share = middle(rounds, lambda r: r.share)
        name = f"{ONE_FACE}, {clients(found)} clients, share of the limit"
        yield Figure(name, share, "x", "at least 0.90")
        p50, p99 = percentiles([r.steady for r in rounds], 50, 99)
        yield Figure(f"{ONE_FACE}, {STEADY}, p99 over p50", p99 / p50, "x", "at most 2.0")
    peak = max(map(peak_mib, found.values())) * MB_PER_MIB
    yield Figure("memory under load", peak, "MB", "under 700 MB")


def draw(found: Found, path: Path, title: str) -> None:
    """Draw the rates beside the limit, and the latencies of the open loop."""
    names = list(found)[::-1]
    size = (11, 0.5 * len(found) + 1.9)
    with picture(path, 1, 2, sharey=True, figsize=size) as (figure, (rates, times)):
        figure.suptitle(title, fontsize=8)
        for y, name in enumerate(names):
            rounds = found[name]
            limit = middle(rounds, lambda r: r.limit.images)
            rates.barh(y, limit, color=OTHERS_COLOUR, label="the limit: no HTTP")
            rate = middle(rounds, lambda r: r.many.load.rate)
            rates.barh(y, rate, 0.5, color=OURS_COLOUR, label=f"{clients(found)} clients")
            values = percentiles([r.steady for r in rounds], 50, 95, 99)
            times.plot(values[::2], [y, y], color=OTHERS_COLOUR)
            for value, marker, label in zip(values, "ods", ("p50", "p95", "p99"), strict=True):
                times.plot(value, y, marker, color=OURS_COLOUR, label=label)
        rates.set_yticks(range(len(names)), names)
        rates.set_xlabel("images per second")
        times.set_xlabel(f"latency in ms, {STEADY}")
        times.set_xlim(left=0)
        for axes in (rates, times):
            axes.spines[["top", "right"]].set_visible(False)
            handles, labels = axes.get_legend_handles_labels()
            unique = dict(zip(labels, handles, strict=True))
            place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3, "frameon": False}
            axes.legend(unique.values(), unique, **place)
