"""`python -m bench.recovery URL PID`: how long a service takes to be ready after `kill -9`.

PID is the service's; its inference process is killed, again and again, while clients send images.
"""

import argparse
import asyncio
import os
import signal
import time

from bench.load import Result, closed_loop, requests
from bench.processes import children
from bench.scenes import SIZES
from bench.wire import Line, request, run

POLL_S = 0.005


async def measure(url: str, pid: int, kills: int, clients: int) -> tuple[list[float], Result]:
    """Seconds from each kill to the next readiness, and what the clients were answered."""
    seconds = 4.0 * kills + 4
    load = asyncio.create_task(closed_loop(url, requests(next(iter(SIZES))), clients, seconds))
    took: list[float] = []
    line = Line(url)
    for _ in range(kills):
        await asyncio.sleep(2)
        killed = time.perf_counter()
        os.kill(children(pid)[0], signal.SIGKILL)
        await _until(line, ready=False)
        await _until(line, ready=True)
        took.append(time.perf_counter() - killed)
    line.close()
    return took, await load


async def _until(line: Line, *, ready: bool) -> None:
    asked = request(path="/readyz", method="GET")
    while ((await line.send(asked)).status == 200) != ready:  # noqa: ASYNC110  (another process)
        await asyncio.sleep(POLL_S)


def main() -> None:
    """Kill and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("pid", type=int)
    arguments.add_argument("--kills", type=int, default=10)
    arguments.add_argument("--clients", type=int, default=8)
    given = arguments.parse_args()
    took, result = run(measure(given.url, given.pid, given.kills, given.clients))
    print("ready again after", ", ".join(f"{each:.2f}" for each in sorted(took)), "s")
    slowest = max(result.seconds(), default=float("nan"))
    print(f"answers by status {result.statuses}, the slowest after {slowest:.1f} s")


if __name__ == "__main__":
    main()
