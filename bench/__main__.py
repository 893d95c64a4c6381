"""`python -m bench`: a real server under load beside the limit, as a Markdown table.

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
from pathlib import Path

import httpx

from bench.limit import images_a_second
from bench.load import Call, Result, closed_loop, open_loop
from bench.scenes import SIZES, scene
from service.settings import Settings
from service.startup import find_models

PORT = 8765
URL = f"http://127.0.0.1:{PORT}"
LOAD_SHARE = 0.7


def main() -> None:
    """Measure each scene in rounds, the limit and the service in turns; print medians."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--scene", choices=SIZES, action="append")
    given = arguments.parse_args()
    settings = Settings()
    models = find_models(settings)
    print(
        "| scene | limit, images/s | 1 client, p50 ms | 32 clients, images/s | of the limit |",
        end="",
    )
    print(" open loop at 70 %: p50, p99 ms | peak memory, MB |")
    print("|---|---|---|---|---|---|---|")
    with _server() as process:
        for name in given.scene or SIZES:
            body, rounds = scene(name), []
            for _ in range(given.rounds):
                limit = images_a_second(settings, models, body, given.seconds)
                rounds.append((limit, *_load(body, given.seconds)))
            print(_row(name, rounds, _peak_megabytes(process.pid)), flush=True)


Round = tuple[float, Result, Result, Result]


def _load(body: bytes, seconds: float) -> tuple[Result, Result, Result]:
    one = asyncio.run(closed_loop(URL, [Call(body)], 1, seconds))
    many = asyncio.run(closed_loop(URL, [Call(body)], 32, seconds))
    steady = asyncio.run(open_loop(URL, [Call(body)], LOAD_SHARE * many.rate, seconds))
    return one, many, steady


def _row(name: str, rounds: list[Round], peak: float) -> str:
    median = statistics.median
    limit = median(limit for limit, *_ in rounds)
    one = median(r.quantile(0.5) for _, r, _, _ in rounds)
    many = median(r.rate for _, _, r, _ in rounds)
    share = median(r.rate / limit for limit, _, r, _ in rounds)
    steady = [median(r.quantile(q) for _, _, _, r in rounds) for q in (0.5, 0.99)]
    figures = f"{limit:.1f} | {one:.1f} | {many:.1f} | {share:.2f}"
    return f"| {name} | {figures} | {steady[0]:.0f}, {steady[1]:.0f} | {peak:.0f} |"


@contextmanager
def _server() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "service", "serve", "--port", str(PORT)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603  (ourselves)
    try:
        while not _ready():
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


def _ready() -> bool:
    try:
        return httpx.get(f"{URL}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _peak_megabytes(pid: int) -> float:
    """The high-water mark of a process's resident memory (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
