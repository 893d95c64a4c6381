"""`python -m bench.host`: what the host costs per image when the networks cost nothing.

The real service answers real HTTP requests, with real decoding and geometry, in the topology that
a GPU gets; only its networks are fake and answer at once. In the same run plain loops decode the
same JPEG, in one process per core. Then one core is compared with two, and a simulated device with
half of the host's rate shows how close the service comes to the rate of a device.

Prints Markdown tables; the last line is a JSON object for 640x480 with one face.
"""

import argparse
from collections.abc import Iterable, Sequence

import msgspec

from bench.fakes.device import Cost
from bench.host import report
from bench.host.rounds import ROWS, HostRound, Measurement, cores, device, host
from bench.inputs.scenes import ONE_FACE
from bench.load.result import middle
from bench.measure.output import machine

CORES, DEVICE = "cores", "device"
PARTS = (*ROWS, CORES, DEVICE)
# The rate of the simulated device, as a share of the host's.
HOST_SHARE = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parsed(arguments)
    parts, rounds = options.only or PARTS, range(options.rounds)
    plan = Measurement(
        options.seconds, options.clients, options.workers, options.topology == "device"
    )
    print(
        f"{machine()}, which {plan.clients} clients and the server share; topology "
        f"{options.topology}; medians of {len(rounds)} round(s) of {plan.seconds:g} s.\n"
    )
    rows = [name for name in ROWS if name == ONE_FACE or name in parts]
    found: dict[str, list[HostRound]] = {name: [] for name in rows}
    for _ in rounds:
        for name in rows:
            found[name].append(host(plan, name))
    _show(report.host(found))
    decode = middle(found[ONE_FACE], lambda each: each.decode)
    rate = middle(found[ONE_FACE], lambda each: each.service.load.rate)
    if CORES in parts:
        _show(report.cores([cores(plan) for _ in rounds]))
    if DEVICE in parts:
        best = HOST_SHARE * rate
        cost = Cost().with_best_rate(best, plan.clients, faces=1)
        _show(report.device([device(plan, cost) for _ in rounds], cost, best))
    last = {"decode": round(decode, 1), "host": round(rate, 1), "ratio": round(rate / decode, 3)}
    print(msgspec.json.encode(last).decode())


def _show(lines: Iterable[str]) -> None:
    print("\n".join(lines), end="\n\n", flush=True)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.host", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="per load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: the service decides")
    where = "networks in a process of their own, or in each worker"
    parser.add_argument("--topology", choices=("device", "local"), default="device", help=where)
    only = f"measure only these, and {ONE_FACE}"
    parser.add_argument("--only", choices=PARTS, nargs="+", default=[], help=only)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
