"""`python -m bench`: a real server under load beside the limit, and single figures.

Writes tables and a picture to bench/results. The clients share the machine's cores with the server:
what they use, it lacks.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bench import report, single
from bench.load import EVERYTHING
from bench.machine import machine
from bench.rounds import CLIENTS, Round, measured
from bench.scenes import SIZES
from bench.serving import serving
from bench.single import Figure
from bench.soak import WARM, WINDOWS, growth, soak, verdict
from bench.wire import run
from bench.work import Work
from service.factory import Models, find_models
from service.settings import Settings

RESULTS = Path(__file__).parent / "results"
ROWS = (*SIZES, EVERYTHING)


def main() -> None:
    """Measure and write, again after each row: what is there stays if the rest is broken off."""
    given = _arguments()
    if given.quick:
        given.rounds, given.seconds, given.growth = 1, 1.0, 200
    settings = Settings()
    models = find_models(settings)
    head = _head(models, given.rounds, given.seconds)
    found: dict[str, list[Round]] = {}
    figures: list[Figure] = []
    for name in given.row or ROWS:
        with serving() as server:
            turns = {"rounds": given.rounds, "seconds": given.seconds}
            found[name] = list(measured(server, name, settings, **turns))
        print(_write(given.out, head, found, figures), flush=True)
    figures += [*report.targets(found), *_singles(settings, models, given.seconds)]
    said = ""
    if given.growth:
        figure, said = _grown(given.growth)
        figures.append(figure)
    print(_write(given.out, head, found, figures, said), flush=True)


def _head(models: Models, rounds: int, seconds: float) -> str:
    engine = f"{models.engine.name} {models.detector.sidecar.fingerprint.precision}"
    return (
        f"{machine()}, which {CLIENTS} clients and the server share; {engine}; medians of {rounds} "
        f"round(s) of {seconds:g} s; memory and CPU time with child processes, under those clients."
    )


def _singles(settings: Settings, models: Models, seconds: float) -> Iterator[Figure]:
    """Of a server that is not the first one: start-up is measured with warm caches."""
    with serving() as server, Work(settings, models) as work:
        yield Figure("start to ready, second start", server.ready_s, "s", "under 5 s")
        yield from single.figures(server.url, work, seconds)


def _grown(requests: int) -> tuple[Figure, str]:
    """How much memory a server of our own has gained in a soak, and what else became of it."""
    with serving() as server:
        number = max(2, min(WINDOWS, requests // WARM))
        windows = run(soak(server.url, server.pid, requests, number))
    first, last = windows[0].done, windows[-1].done
    name = f"resident memory after {last:,} requests, more than after {first:,}"
    said = f"Since the first {first:,}: {verdict(windows)}."
    return Figure(name, growth(windows), "%", "under 1 %"), said


def _write(out: Path, head: str, found: report.Found, figures: list[Figure], *said: str) -> str:
    parts = [[head], report.throughput(found), report.cost(found)]
    if figures:
        parts.append(report.beside_targets(figures))
    text = "\n\n".join("\n".join(lines) for lines in [*parts, said]).rstrip()
    out.mkdir(parents=True, exist_ok=True)
    (out / "bench.md").write_text(text + "\n")
    report.draw(found, out / "bench.png", head)
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--row", choices=ROWS, action="append", help="by default all")
    parser.add_argument("--growth", type=int, default=20_000, help="requests; 0 leaves it out")
    parser.add_argument("--quick", action="store_true", help="one short round: does it all run?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of tables and picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
