"""The results of `bench.peers` as a Markdown table and as a picture."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.load.result import latencies, middle
from bench.measure.output import OTHERS_COLOUR, OURS_COLOUR, header, picture, row
from bench.peers.measure import Found

OURS = "emotions"


def table(found: Found) -> Iterator[str]:
    """Yield the lines of a table, the fastest server first."""
    yield header(
        "server | images/s | emotions is faster by | of the limit | p50, p95, p99, ms | "
        "CPU ms per image | peak memory, MiB | failed"
    )
    limit = median(found.limits)
    for name in ranked(found):
        servers, rate = found.servers[name], _rate(found, name)
        loads = [each.load for each in servers]
        yield row(
            name,
            f"{rate:.1f}",
            _ratio(found, name),
            f"{rate / limit:.2f}",
            latencies(loads, 50, 95, 99),
            f"{middle(servers, lambda each: each.server_ms):.1f}",
            f"{middle(servers, lambda each: each.used.peak_mib):.0f}",
            sum(load.failed for load in loads),
        )
    yield row("the limit: no HTTP", f"{limit:.1f}", "", 1, *[""] * 4)


def clients(found: Found) -> int | None:
    """The number of clients of each load."""
    return next(iter(found.servers.values()))[0].load.clients


def ranked(found: Found) -> list[str]:
    """Names, the fastest first."""
    return sorted(found.servers, key=lambda name: -_rate(found, name))


def draw(found: Found, path: Path) -> None:
    """Write a picture of the rates, with the spread over the rounds."""
    names = ranked(found)[::-1]
    rates = [_rate(found, name) for name in names]
    each = [[one.load.rate for one in found.servers[name]] for name in names]
    below = [rate - min(all_) for rate, all_ in zip(rates, each, strict=True)]
    above = [max(all_) - rate for rate, all_ in zip(rates, each, strict=True)]
    colours = [OURS_COLOUR if name == OURS else OTHERS_COLOUR for name in names]
    with picture(path, figsize=(7, 0.5 * len(names) + 1.2)) as (_, axes):
        axes.barh(names, rates, xerr=[below, above], color=colours)
        label = "the limit: no HTTP"
        axes.axvline(median(found.limits), color="black", linestyle="--", label=label)
        axes.set_xlabel(f"images per second, {clients(found)} clients")
        axes.legend(loc="lower right", frameon=False)
        axes.spines[["top", "right"]].set_visible(False)


def _rate(found: Found, name: str) -> float:
    return middle(found.servers[name], lambda each: each.load.rate)


def _ratio(found: Found, name: str) -> str:
    """The median of the ratios of the rounds: a disturbance of a round affects both servers."""
    if name == OURS or OURS not in found.servers:
        return ""
    pairs = zip(found.servers[OURS], found.servers[name], strict=True)
    return f"{middle(pairs, lambda pair: pair[0].load.rate / pair[1].load.rate):.2f}"
