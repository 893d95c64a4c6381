"""`python -m bench.gpu`: the first hour on a GPU, in stages of at most ten minutes each.

Runs the stages in their order until one stops, and writes their findings to one file. A stage that
cannot run here is skipped. `--stage` runs only some, again if need be; `--rehearsal` runs all on
the CPU. `--verify FILE` checks a file, `--show FILE` prints its tables.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.day import DECODER, STAND_IN_DECODER, Day
from bench.gpu.machine import machine
from bench.gpu.results import DayResult, ResultError, load, save
from bench.gpu.run import run
from bench.gpu.show import show
from bench.gpu.signing import check, seal
from bench.gpu.stages import STAGES

OUT = Path("bench/results/gpu.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, verify or show; 1 if a stage stopped or a file is not valid."""
    given = _parsed(arguments)
    try:
        if given.list:
            print(*(f"{each.name:15} {each.about}" for each in STAGES.values()), sep="\n")
            return 0
        if given.show:
            print(*show(load(given.show)), sep="\n")
            return 0
        if given.verify:
            result = load(given.verify)
            who = check(result, given.signers)
            gpus = ", ".join(gpu.name for gpu in result.machine.gpus)
            what = "a rehearsal" if result.rehearsal else gpus
            print(f"{given.verify} is unchanged; signed by {who}; {what}")
            return 0
        return _run(given)
    except ResultError as error:
        print(f"{given.show or given.verify or given.out}: {error}", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace) -> int:
    result, stopped = _begun(given.out, given.rehearsal), False
    day = Day(
        rehearsal=given.rehearsal,
        engines=tuple(given.engine),
        models=tuple(given.model),
        seconds=given.seconds,
        most=given.most,
        clients=given.clients,
        jpeg_decoder=given.decoder or (STAND_IN_DECODER if given.rehearsal else DECODER),
    )
    for stage in run(given.stage or list(STAGES), day, given.out.with_suffix("")):
        result = seal(result.with_stage(stage))
        save(result, given.out)
        why = f": {stage.reason}" if stage.reason else ""
        print(f"{stage.name}: {stage.state} after {stage.seconds:.0f} s{why}", flush=True)
        if stage.state == "stop":
            stopped = True
            print(f"  look at {stage.look}", flush=True)
            if not given.go_on:
                break
    save(seal(result, given.key), given.out)
    return int(stopped)


def _begun(path: Path, rehearsal: bool) -> DayResult:
    """The file to continue, or a new one; never one of another machine, commit or kind."""
    today, here = str(datetime.datetime.now(datetime.UTC).date()), machine()
    if not path.exists():
        return DayResult(today, rehearsal, here)
    result = load(path)
    check(result)
    if (result.machine, result.rehearsal) != (here, rehearsal):
        raise ResultError(
            "it is of another machine, commit or kind of day; name another file with --out"
        )
    return result


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Day()
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--stage", action="append", choices=STAGES, default=[], metavar="STAGE")
    parser.add_argument("--list", action="store_true", help="list the stages")
    parser.add_argument("--go-on", action="store_true", help="after a stage that stopped, too")
    parser.add_argument("--rehearsal", action="store_true", help="on the CPU; never quoted")
    parser.add_argument("--out", type=Path, default=OUT, help="the file; it is continued")
    parser.add_argument("--key", type=Path, help="SSH key that signs the file")
    parser.add_argument("--verify", type=Path, metavar="FILE")
    parser.add_argument("--signers", type=Path, help="whose signatures --verify accepts")
    parser.add_argument("--show", type=Path, metavar="FILE")
    parser.add_argument("--engine", action="append", default=[], help="by default those for GPUs")
    parser.add_argument("--model", action="append", default=[], help="by default those in use")
    parser.add_argument("--decoder", help=f"of JPEGs; by default {DECODER}")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="per figure")
    parser.add_argument("--most", type=int, default=usual.most, help="largest batch")
    parser.add_argument("--clients", type=int, default=usual.clients, help="of loads")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
