"""`python -m bench`: a real server under load beside the limit, and single figures, as tables.

The clients share the machine's cores with the server: what they use, it lacks.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import single
from bench.limit import images_a_second
from bench.load import Call, Result, closed_loop, open_loop
from bench.processes import holding
from bench.scenes import SIZES, scene
from bench.work import Work
from service.settings import Settings
from service.startup import find_models

PORT = 8765
URL = f"http://127.0.0.1:{PORT}"
LOAD_SHARE = 0.7
HEAD = """\
| scene | limit, images/s | 1 client, p50 ms | 32 clients, images/s | of the limit | open loop at \
70 %: p50, p99 ms | memory, MiB |
|---|---|---|---|---|---|---|"""


def main() -> None:
    """Measure each scene in rounds, the limit and the service in turns; print medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--scene", choices=SIZES, action="append")
    given = arguments.parse_args()
    settings = Settings()
    models = find_models(settings)
    with _server():
        pass
    with _server() as (process, ready_s), Work(settings, models) as work:
        print(HEAD)
        for name in given.scene or SIZES:
            body, rounds = scene(name), []
            for _ in range(given.rounds):
                limit = images_a_second(settings, models, body, given.seconds)
                rounds.append((limit, *_load(body, given.seconds)))
            print(_row(name, rounds, holding(process.pid).mib), flush=True)
        for line in single.table(URL, work, ready_s, given.seconds):
            print(line, flush=True)


Round = tuple[float, Result, Result, Result]


def _load(body: bytes, seconds: float) -> tuple[Result, Result, Result]:
    one = asyncio.run(closed_loop(URL, [Call(body)], 1, seconds))
    many = asyncio.run(closed_loop(URL, [Call(body)], 32, seconds))
    steady = asyncio.run(open_loop(URL, [Call(body)], LOAD_SHARE * many.rate, seconds))
    return one, many, steady


def _row(name: str, rounds: list[Round], mib: float) -> str:
    median = statistics.median
    limit = median(limit for limit, *_ in rounds)
    one = median(r.quantile(0.5) for _, r, _, _ in rounds)
    many = median(r.rate for _, _, r, _ in rounds)
    share = median(r.rate / limit for limit, _, r, _ in rounds)
    steady = [median(r.quantile(q) for _, _, _, r in rounds) for q in (0.5, 0.99)]
    figures = f"{limit:.1f} | {one:.1f} | {many:.1f} | {share:.2f}"
    return f"| {name} | {figures} | {steady[0]:.0f}, {steady[1]:.0f} | {mib:.0f} |"


@contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server, and the seconds until it was ready."""
    command = [sys.executable, "-m", "service", "serve", "--port", str(PORT)]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  (ourselves)
    try:
        yield process, single.ready_seconds(URL, started)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
