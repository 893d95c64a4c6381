"""`python -m bench.load URL --clients 32` (closed loop) or `--rate 40` (open loop).

Loads a service that already runs and prints one line of figures.
"""

import argparse

from bench.inputs.scenes import SIZES
from bench.load.client import run
from bench.load.loops import closed_loop, open_loop
from bench.load.mix import EVERYTHING, requests
from bench.load.result import latencies


def main() -> None:
    """Load and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rate", type=float, help="open loop: requests per second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--scene", choices=[*SIZES, EVERYTHING], default=next(iter(SIZES)))
    options = parser.parse_args()
    calls = requests(options.scene)
    result = run(
        open_loop(options.url, calls, options.rate, options.seconds)
        if options.rate
        else closed_loop(options.url, calls, options.clients, options.seconds)
    )
    times = f"p50, p95, p99: {latencies([result], 50, 95, 99)} ms"
    print(f"{result.rate:.1f} answers/s, {times}, statuses {result.statuses}")


if __name__ == "__main__":
    main()
