"""`python -m bench.host`: what the host costs per image when the networks cost nothing.

The real service answers real HTTP requests, with real decoding and geometry, in the topology that
a GPU gets; only its networks answer at once (`bench.fakes`). Beside it, in the same run, the same
JPEG is decoded in plain loops, a process per core. Then one core is compared with two, and a
simulated device of half the host's rate shows how near the service comes to what a device can do.

Prints Markdown tables; the last line is one JSON object for 640x480 with one face.
"""

import argparse
from collections.abc import Iterable, Sequence

import msgspec

from bench.host import report, turns
from bench.host.report import middle
from bench.host.turns import ONE_FACE, ROWS, Given, HostTurn
from bench.machine import machine
from bench.simulated import Cost

CORES, DEVICE = "cores", "device"
PARTS = (*ROWS, CORES, DEVICE)
# Of the host's rate: how much the simulated device can do.
HOST_SHARE = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    asked = _parsed(arguments)
    parts, rounds = asked.only or PARTS, range(asked.rounds)
    given = Given(asked.seconds, asked.clients, asked.workers, asked.topology == "device")
    print(
        f"{machine()}, which {given.clients} clients and the server share; topology "
        f"{asked.topology}; medians of {len(rounds)} round(s) of {given.seconds:g} s.\n"
    )
    rows = [name for name in ROWS if name == ONE_FACE or name in parts]
    found: dict[str, list[HostTurn]] = {name: [] for name in rows}
    for _ in rounds:
        for name in rows:
            found[name].append(turns.host(given, name))
    _show(report.host(found))
    decode = middle(found[ONE_FACE], lambda turn: turn.decode)
    rate = middle(found[ONE_FACE], lambda turn: turn.load.rate)
    if CORES in parts:
        _show(report.cores([turns.cores(given) for _ in rounds]))
    if DEVICE in parts:
        best = HOST_SHARE * rate
        cost = Cost().with_best_rate(best, given.clients, faces=1)
        _show(report.device([turns.device(given, cost) for _ in rounds], cost, best))
    last = {"decode": round(decode, 1), "host": round(rate, 1), "ratio": round(rate / decode, 3)}
    print(msgspec.json.encode(last).decode())


def _show(lines: Iterable[str]) -> None:
    print("\n".join(lines), end="\n\n", flush=True)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.host", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: the service picks")
    topologies = ("device", "local")
    where = "networks in a process of their own, or in each worker"
    parser.add_argument("--topology", choices=topologies, default="device", help=where)
    only = f"measure only these, and {ONE_FACE}"
    parser.add_argument("--only", choices=PARTS, nargs="+", default=[], help=only)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
