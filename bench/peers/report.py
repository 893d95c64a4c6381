"""What was measured, as a Markdown table and as a picture."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.peers.measure import Found
from bench.picture import OURS_COLOUR, THEIRS_COLOUR, pyplot

OURS = "emotions"


def table(found: Found) -> Iterator[str]:
    """Yield the lines of a table, the fastest server first."""
    yield (
        "| server | images/s | emotions is faster by | of the limit | p50, p95, p99 ms | CPU ms an "
        "image | peak memory, MiB | failed |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name in ranked(found):
        turn = found.middle(name)
        latencies = f"{turn.p50:.0f}, {turn.p95:.0f}, {turn.p99:.0f}"
        yield (
            f"| {name} | {turn.rate:.1f} | {_ratio(found, name)} | {turn.rate / found.limit:.2f} "
            f"| {latencies} | {turn.cpu_ms:.1f} | {turn.mib:.0f} | {turn.failed:.0f} |"
        )
    yield f"| the limit: no HTTP | {found.limit:.1f} | | 1 | | | | |"


def ranked(found: Found) -> list[str]:
    """Names, the fastest first."""
    return sorted(found.turns, key=lambda name: -found.middle(name).rate)


def draw(found: Found, path: Path) -> None:
    """Write a picture of the throughputs, with the spread over the rounds."""
    plt = pyplot()
    names = ranked(found)[::-1]
    rates = [found.middle(name).rate for name in names]
    spread = [[turn.rate for turn in found.turns[name]] for name in names]
    error = [
        [rate - min(all_) for rate, all_ in zip(rates, spread, strict=True)],
        [max(all_) - rate for rate, all_ in zip(rates, spread, strict=True)],
    ]
    figure, axes = plt.subplots(figsize=(7, 0.5 * len(names) + 1.2), layout="constrained")
    colours = [OURS_COLOUR if name == OURS else THEIRS_COLOUR for name in names]
    axes.barh(names, rates, xerr=error, color=colours)
    axes.axvline(found.limit, color="black", linestyle="--", label="the limit: no HTTP")
    axes.set_xlabel("images a second, 32 clients")
    axes.legend(loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _ratio(found: Found, name: str) -> str:
    """The median of the rounds' own ratios: what disturbs a round disturbs both."""
    if name == OURS or OURS not in found.turns:
        return ""
    pairs = zip(found.turns[OURS], found.turns[name], strict=True)
    return f"{median(ours.rate / theirs.rate for ours, theirs in pairs):.2f}"
