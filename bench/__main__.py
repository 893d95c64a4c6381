"""`python -m bench`: the service under load, beside the limit of the machine.

Writes tables and a picture to bench/results. The clients share the cores with the server, so the
server lacks the CPU time that they use.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.inputs.scenes import SIZES
from bench.limit import report
from bench.limit.report import Figure
from bench.limit.rounds import Measurement, Round, rounds
from bench.load.client import run
from bench.load.mix import EVERYTHING
from bench.measure.output import header, machine
from bench.measure.service import serving
from bench.soak import WARM, WINDOWS, growth, soak, verdict
from service.factory import FoundModels, find_models
from service.settings import Settings

RESULTS = Path(__file__).parent / "results"
ROWS = (*SIZES, EVERYTHING)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; write the results after each row, so that an interrupted run keeps them."""
    options = _parsed(arguments)
    plan = Measurement(options.rounds, options.seconds, options.clients)
    settings = Settings()
    models = find_models(settings)
    found: dict[str, list[Round]] = {}
    figures: list[Figure] = []
    for name in options.row or ROWS:
        with serving() as server:
            found[name] = list(rounds(server, name, settings, plan))
        print(_write(options.out, _title(models, plan, found), found, figures), flush=True)
    with serving() as server:  # again, because start-up is measured with warm caches
        started = Figure("start to ready, second start", server.ready_s, "s", "under 5 s")
    figures += [*report.targets(found), started]
    last = ""
    if options.growth:
        figure, last = _grown(options.growth)
        figures.append(figure)
    print(_write(options.out, _title(models, plan, found), found, figures, last), flush=True)


def _title(models: FoundModels, plan: Measurement, found: report.Found) -> str:
    engine = f"{models.engine.name} {models.detector.sidecar.fingerprint.precision}"
    return (
        f"{machine()}, which {report.clients(found)} clients and the server share; {engine}; "
        f"medians of {plan.rounds} round(s) of {plan.seconds:g} s; memory and CPU time of the "
        "server with its child processes, under those clients."
    )


def _grown(requests: int) -> tuple[Figure, str]:
    """How much memory a fresh server gains in a soak, and a line with the other changes."""
    with serving() as server:
        number = max(2, min(WINDOWS, requests // WARM))
        windows = run(soak(server.url, server.pid, requests, number))
    first, last = windows[0].done, windows[-1].done
    name = f"resident memory after {last:,} requests, more than after {first:,}"
    figure = Figure(name, growth(windows), "%", "under 1 %")
    return figure, f"Since the first {first:,}: {verdict(windows)}."


def _write(out: Path, title: str, found: report.Found, figures: list[Figure], *last: str) -> str:
    parts = [[title], [*report.throughput(found)], [*report.cost(found)]]
    if figures:
        parts.append([header("figure | measured | target"), *map(str, figures)])
    text = "\n\n".join("\n".join(lines) for lines in [*parts, last]).rstrip()
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text(text + "\n")
    report.draw(found, out / "bench.png", title)
    return text


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="per load")
    parser.add_argument("--clients", type=int, default=32, help="of the closed loop")
    parser.add_argument("--row", choices=ROWS, action="append", help="by default all")
    parser.add_argument("--growth", type=int, default=20_000, help="requests; 0 leaves it out")
    parser.add_argument("--quick", action="store_true", help="one short round: does it all run?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for tables and picture")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.growth = 1, 1.0, 200
    return options


if __name__ == "__main__":
    main()
