"""`python -m bench.peers`: emotions and other servers in turns, as a Markdown table and a picture.

`python -m bench.peers setup` makes the environments of the other servers; run it first.
"""

import argparse
import os
from pathlib import Path

from bench.inputs.scenes import ONE_FACE, SIZES, scene
from bench.measure.output import machine
from bench.peers.measure import Measurement, rounds
from bench.peers.peer import PEERS, set_up
from bench.peers.report import clients, draw, table
from engines import cpu

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    """Set up, or measure."""
    options = _parsed()
    peers = [peer for peer in PEERS if not options.peer or peer.name in options.peer]
    if options.command == "setup":
        set_up(peers)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    cores = set(options.cores or os.sched_getaffinity(0))
    plan = Measurement(options.rounds, options.seconds, cores, options.out)
    for done, found in rounds(peers, scene(options.scene), plan):
        title = (
            f"{machine()}; servers on {len(cores)} core(s), {clients(found)} clients on all "
            f"{cpu.available()}; {options.scene}; median of {done} round(s) of {plan.seconds:g} s"
        )
        text = "\n".join([title, "", *table(found)])
        print(text, flush=True)
        (options.out / "peers.md").write_text(text + "\n")
        draw(found, options.out / "peers.png")


def _parsed() -> argparse.Namespace:
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["run", "setup"], default="run")
    parser.add_argument("--peer", action="append", choices=names, help="by default all")
    parser.add_argument("--scene", choices=SIZES, default=ONE_FACE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--quick", action="store_true", help="one short round: does it all run?")
    parser.add_argument("--cores", type=int, nargs="+", help="CPUs of the servers; by default all")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for table and picture")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 3.0
    return options


if __name__ == "__main__":
    main()
