"""`python -m bench.peers`: emotions and its peers in turns, as a Markdown table and a picture.

`python -m bench.peers setup` first makes the peers' environments.
"""

import argparse
import os
from pathlib import Path

from bench.machine import machine
from bench.peers.measure import CLIENTS, rounds
from bench.peers.peer import PEERS
from bench.peers.report import draw, table
from bench.peers.setup import set_up
from bench.scenes import SIZES, scene
from engines import cpu

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Set up, or measure."""
    given = _arguments()
    names = given.peer or [peer.name for peer in PEERS]
    if given.command == "setup":
        set_up(names)
        return
    if given.quick:
        given.rounds, given.seconds = 1, 3.0
    peers = [peer for peer in PEERS if peer.name in names]
    given.out.mkdir(parents=True, exist_ok=True)
    used = set(given.cores or os.sched_getaffinity(0))
    for done, found in rounds(
        peers,
        scene(given.scene),
        count=given.rounds,
        seconds=given.seconds,
        cores=used,
        logs=given.out,
    ):
        lines = [
            f"{machine()}; servers on {len(used)} core(s), {CLIENTS} clients on all "
            f"{cpu.available()}; {given.scene}; median of {done} round(s) of {given.seconds:g} s",
            "",
            *table(found),
        ]
        text = "\n".join(lines)
        print(text, flush=True)
        (given.out / "peers.md").write_text(text + "\n")
        draw(found, given.out / "peers.png")


def _arguments() -> argparse.Namespace:
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "setup"], default="run")
    parser.add_argument("--peer", action="append", choices=names, help="by default all")
    parser.add_argument("--scene", choices=SIZES, default="640x480, 1 face")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--quick", action="store_true", help="one short round: does it all run?")
    parser.add_argument("--cores", type=int, nargs="+", help="CPUs of the servers; by default all")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of table and picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
