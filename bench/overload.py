"""`python -m bench.overload`: what is left of the service when far more is asked than it can do.

First the most that clients get who each wait for an answer before they ask again; then requests at
random moments, whatever the service does, up to ten times as many. Goodput is the images answered
a second within the time that their clients wait. Prints a Markdown table, and with `--picture`
draws it.
"""

import argparse
import sys
from pathlib import Path

from bench.load import Result, closed_loop, open_loop
from bench.picture import pyplot
from bench.scenes import SIZES, scene
from bench.serving import serving
from bench.wire import request, run

CLIENTS = 16
FACTORS = (0.5, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)
WANTED = 0.95
HEAD = """\
| offered, images/s | goodput, images/s | of the peak | answered p50, p99 ms | refused (503) p50, \
p99 ms | statuses |
|---|---|---|---|---|---|"""


def row(load: Result, peak: float) -> str:
    """A load as a line of the table."""
    statuses = ", ".join(f"{status}: {n:,}" for status, n in load.statuses.items())
    shares = f"{load.offered:.0f} | {load.rate:.1f} | {load.rate / peak:.2f}"
    return f"| {shares} | {_times(load, 200)} | {_times(load, 503)} | {statuses} |"


def _times(load: Result, status: int) -> str:
    if not load.seconds(status):
        return "-"
    return ", ".join(f"{load.quantile(share, status):.0f}" for share in (0.5, 0.99))


def draw(loads: list[Result], path: Path) -> None:
    """Goodput over what was offered."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(8, 3.5), dpi=120)
    offered = [load.offered for load in loads]
    peak = max(load.rate for load in loads)
    axes.plot(offered, [load.rate for load in loads], marker="o", label="answered")
    axes.axhline(WANTED * peak, linestyle="--", color="grey", label=f"{WANTED} of the peak")
    axes.set(xlabel="offered, images/s", ylabel="goodput, images/s", ylim=(0, 1.2 * peak))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


async def measure(url: str, content: bytes, seconds: float) -> list[Result]:
    """The closed loop, then the open one at each of `FACTORS` times its goodput."""
    await closed_loop(url, [content], CLIENTS, min(seconds, 3))
    first = await closed_loop(url, [content], CLIENTS, seconds)
    loads = [first]
    for factor in FACTORS:
        loads.append(await open_loop(url, [content], factor * first.rate, seconds))
        print(f"  {factor} times: {loads[-1].rate:.1f} images/s", file=sys.stderr)
    return loads


def main() -> int:
    """Overload a server of our own; fails where its goodput breaks down."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=30, help="for each load")
    arguments.add_argument("--scene", choices=SIZES, default="640x480, 1 face")
    arguments.add_argument("--patience-ms", type=int, help="how long clients wait for an answer")
    arguments.add_argument("--picture", type=Path)
    given = arguments.parse_args()
    headers = {"content-type": "image/jpeg"}
    if given.patience_ms:
        headers["x-request-deadline-ms"] = str(given.patience_ms)
    content = request(scene(given.scene), headers)
    with serving() as server:
        loads = run(measure(server.url, content, given.seconds))
    peak = max(load.rate for load in loads)
    print("\n".join([HEAD, *(row(load, peak) for load in loads)]))
    if given.picture:
        draw(loads, given.picture)
    return int(loads[-1].rate < WANTED * peak)


if __name__ == "__main__":
    sys.exit(main())
