"""`python -m bench.overload`: the service when clients send far more than it can analyze.

First a closed loop gives the peak; then open loops offer up to ten times as many images. Goodput is
the number of images per second that are answered before their clients give up. Prints a Markdown
table and, with `--picture`, draws a picture.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.inputs.scenes import ONE_FACE, SIZES, scene
from bench.load.client import request, run
from bench.load.loops import closed_loop, open_loop
from bench.load.result import Result
from bench.measure.output import header, picture, row
from bench.measure.service import serving, warm_up

CLIENTS = 16
FACTORS = (0.5, 0.8, 1.0, 1.5, 2.0, 5.0, 10.0)
TARGET = 0.95
HEAD = header(
    "offered, images/s | goodput, images/s | of the peak | answered: p50, p99, ms | "
    "rejected (503): p50, p99, ms | statuses"
)


def table(loads: list[Result]) -> Iterator[str]:
    """Yield a line per load."""
    peak = max(load.rate for load in loads)
    yield HEAD
    for load in loads:
        statuses = ", ".join(f"{status}: {n:,}" for status, n in load.statuses.items())
        rates = f"{load.offered:.0f}", f"{load.rate:.1f}", f"{load.rate / peak:.2f}"
        yield row(*rates, _times(load, 200), _times(load, 503), statuses)


def _times(load: Result, status: int) -> str:
    quantiles = (load.quantile(share, status) for share in (0.5, 0.99))
    return ", ".join(f"{each:.0f}" for each in quantiles) if load.seconds(status) else "-"


def draw(loads: list[Result], path: Path) -> None:
    """Draw goodput over the offered load."""
    peak = max(load.rate for load in loads)
    offered, rates = [load.offered for load in loads], [load.rate for load in loads]
    with picture(path, figsize=(8, 3.5)) as (_, axes):
        axes.plot(offered, rates, marker="o", label="answered")
        axes.axhline(TARGET * peak, linestyle="--", color="grey", label=f"{TARGET} of the peak")
        axes.set(xlabel="offered, images/s", ylabel="goodput, images/s", ylim=(0, 1.2 * peak))
        axes.grid(alpha=0.3)
        axes.legend()


def measure(url: str, content: bytes, seconds: float) -> list[Result]:
    """A closed loop, then an open loop at each of `FACTORS` times its goodput."""
    warm_up(url, [content], CLIENTS, seconds)
    loads = [run(closed_loop(url, [content], CLIENTS, seconds))]
    for factor in FACTORS:
        loads.append(run(open_loop(url, [content], factor * loads[0].rate, seconds)))
        print(f"  {factor} times: {loads[-1].rate:.1f} images/s", file=sys.stderr)
    return loads


def main() -> int:
    """Overload a server; fail if its goodput falls below `TARGET` of the peak."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="per load")
    parser.add_argument("--scene", choices=SIZES, default=ONE_FACE)
    parser.add_argument("--patience-ms", type=int, help="how long clients wait for an answer")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    headers = {"content-type": "image/jpeg"}
    if options.patience_ms:
        headers["x-request-deadline-ms"] = str(options.patience_ms)
    content = request(scene(options.scene), headers)
    with serving() as server:
        loads = measure(server.url, content, options.seconds)
    peak = max(load.rate for load in loads)
    print("\n".join(table(loads)))
    if options.picture:
        draw(loads, options.picture)
    return int(loads[-1].rate < TARGET * peak)


if __name__ == "__main__":
    sys.exit(main())
