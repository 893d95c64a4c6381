"""What `python -m bench` measured, as Markdown tables and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.load import Result
from bench.picture import OURS_COLOUR, THEIRS_COLOUR, pyplot
from bench.rounds import CLIENTS, LOAD_SHARE, Round, quantiles
from bench.single import ONE_FACE, Figure

Found = Mapping[str, Sequence[Round]]
MIB = 2**20 / 1e6
PLAIN: dict[str, Any] = {"frameon": False, "ncols": 3}


def throughput(found: Found) -> Iterator[str]:
    """Yield the table of rates and latencies."""
    yield (
        f"| sent | decoding alone, images/s | limit, images/s | {CLIENTS} clients, images/s | of "
        f"the limit | their p50, p95, p99 ms | 1 client: p50, p95, p99 ms | open "
        f"loop at {LOAD_SHARE:.0%}: p50, p95, p99 ms | failed |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, rounds in found.items():
        decoded = median(r.limit.decoded for r in rounds)
        limit, rate = median(r.limit.images for r in rounds), median(r.many.rate for r in rounds)
        share = median(r.share for r in rounds)
        times = " | ".join(
            _times([getattr(r, load) for r in rounds]) for load in ("many", "one", "steady")
        )
        failed = sum(r.failed for r in rounds)
        rates = f"{decoded:.0f} | {limit:.1f} | {rate:.1f} | {share:.2f}"
        yield f"| {name} | {rates} | {times} | {failed} |"


def cost(found: Found) -> Iterator[str]:
    """Yield the table of what the service used under many clients, its child processes included."""
    networks = list(
        dict.fromkeys(n for rounds in found.values() for r in rounds for n in r.batches)
    )
    sizes = "".join(f" | items a batch: {network}" for network in networks)
    yield f"| sent | CPU ms an image | client's | peak memory, MiB{sizes} |"
    yield "|---" * (4 + len(networks)) + "|"
    for name, rounds in found.items():
        cpu, client = median(r.cpu_ms for r in rounds), median(r.client_ms for r in rounds)
        cells = [f"{cpu:.1f}", f"{client:.2f}", f"{peak_mib(rounds):.0f}"]
        for network in networks:
            means = [r.batches[network] for r in rounds if network in r.batches]
            cells.append(f"{median(means):.2f}" if means else "-")
        yield f"| {name} | {' | '.join(cells)} |"


def peak_mib(rounds: Sequence[Round]) -> float:
    """The most memory of any round."""
    return max(r.used.peak_mib for r in rounds)


def targets(found: Found) -> Iterator[Figure]:
    """Yield the figures that the tables hold and that have a target."""
    if ONE_FACE in found:
        rounds = found[ONE_FACE]
        share = median(r.share for r in rounds)
        yield Figure(f"{ONE_FACE}, {CLIENTS} clients, of the limit", share, "x", "at least 0.90")
        p50, _, p99 = quantiles([r.steady for r in rounds])
        name = f"{ONE_FACE}, open loop at {LOAD_SHARE:.0%}, p99 over p50"
        yield Figure(name, p99 / p50, "x", "at most 2.0")
    most = max(peak_mib(rounds) for rounds in found.values())
    yield Figure("resident memory under load", most * MIB, "MB", "under 700 MB")


def beside_targets(figures: Sequence[Figure]) -> Iterator[str]:
    """Yield the table of figures that have a target."""
    yield "| | measured | target |"
    yield "|---|---|---|"
    yield from map(str, figures)


def draw(found: Found, path: Path, title: str) -> None:
    """Throughput beside the limit, and the latencies of the open loop."""
    plt = pyplot()
    size = (11, 0.5 * len(found) + 1.9)
    figure, (rates, times) = plt.subplots(1, 2, sharey=True, figsize=size, layout="constrained")
    figure.suptitle(title, fontsize=8)
    names = list(found)[::-1]
    for place, name in enumerate(names):
        rounds = found[name]
        mine, limit = median(r.many.rate for r in rounds), median(r.limit.images for r in rounds)
        rates.barh(place, limit, color=THEIRS_COLOUR, label="the limit: no HTTP")
        rates.barh(place, mine, 0.5, color=OURS_COLOUR, label=f"{CLIENTS} clients")
        p50, p95, p99 = quantiles([r.steady for r in rounds])
        times.plot([p50, p99], [place, place], color=THEIRS_COLOUR)
        for quantile, marker, label in ((p50, "o", "p50"), (p95, "d", "p95"), (p99, "s", "p99")):
            times.plot(quantile, place, marker, color=OURS_COLOUR, label=label)
    rates.set_yticks(range(len(names)), names)
    rates.set_xlabel("images a second")
    times.set_xlabel(f"ms an answer, open loop at {LOAD_SHARE:.0%}")
    times.set_xlim(left=0)
    for axes in (rates, times):
        axes.spines[["top", "right"]].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        unique = dict(zip(labels, handles, strict=True))
        axes.legend(unique.values(), unique, loc="lower left", bbox_to_anchor=(0, 1), **PLAIN)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _times(results: Sequence[Result]) -> str:
    return ", ".join(f"{each:.0f}" for each in quantiles(list(results)))
