"""`python -m bench.cost`: time and price of a library on 1 to 1,000 machines, from measured rates.

Prints a table. Each number that goes into it is an option, so that others can put in their own:
rates measured on their machines, and the prices that they pay.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NamedTuple

from bench.measure.output import header, row

MACHINES = (1, 10, 100, 1000)
HOUR_S = 3600
HEAD = header("machines | files/s | hours | price | price per million files | limited by")


class Machine(NamedTuple):
    """One machine: its actors, the files that one actor analyzes per second, and its price.

    start_s: time until the first file, in seconds; price: per hour.
    """

    actors: int
    files_per_s: float
    start_s: float
    price: float


class Limits(NamedTuple):
    """What all machines share.

    parts_per_s: that the driver of Ray Data starts and completes; reads_per_s: that the store
    answers.
    """

    files_per_part: int
    parts_per_s: float
    reads_per_s: float


class Estimate(NamedTuple):
    """The rate in files per second, what limits it, the time in seconds, and the price."""

    files_per_s: float
    limit: str
    seconds: float
    price: float


def estimate(files: int, machines: int, machine: Machine, limits: Limits) -> Estimate:
    """Return time and price of `files` on `machines`.

    All actors start together and run at their rate, or at that of the narrowest shared limit. The
    last part begins when the others end, so it adds its whole time.
    """
    rates = {
        "machines": machines * machine.actors * machine.files_per_s,
        "driver": limits.parts_per_s * limits.files_per_part,
        "store": limits.reads_per_s,
    }
    limit = min(rates, key=rates.__getitem__)
    last_s = min(files, limits.files_per_part) / machine.files_per_s
    seconds = machine.start_s + files / rates[limit] + last_s
    return Estimate(rates[limit], limit, seconds, machines * machine.price * seconds / HOUR_S)


def table(files: int, machine: Machine, limits: Limits) -> str:
    """Return the estimates for `MACHINES` as a Markdown table."""
    lines = [HEAD]
    for machines in MACHINES:
        found = estimate(files, machines, machine, limits)
        lines.append(
            row(
                f"{machines:,}",
                f"{found.files_per_s:,.0f}",
                f"{found.seconds / HOUR_S:,.2f}",
                f"{found.price:,.2f}",
                f"{found.price / files * 1e6:,.2f}",
                found.limit,
            )
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000_000)
    parser.add_argument("--actors", type=int, default=4, help="per machine")
    parser.add_argument("--files-per-s", type=float, required=True, help="of one actor")
    parser.add_argument("--start-s", type=float, default=60, help="until the first file")
    parser.add_argument("--price", type=float, required=True, help="of a machine per hour")
    parser.add_argument("--files-per-part", type=int, default=256)
    parser.add_argument("--parts-per-s", type=float, required=True, help="of Ray's driver")
    parser.add_argument("--reads-per-s", type=float, default=5500, help="of the store")
    given = parser.parse_args(arguments)
    machine = Machine(given.actors, given.files_per_s, given.start_s, given.price)
    limits = Limits(given.files_per_part, given.parts_per_s, given.reads_per_s)
    print(table(given.files, machine, limits))


if __name__ == "__main__":
    main(sys.argv[1:])
