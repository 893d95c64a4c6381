"""`python -m bench.gpu.child STAGE FILE`: one stage, in a process that may crash or hang.

The options come on stdin as JSON. The file has all findings so far, so that a stage that is killed
keeps its figures.
"""

import signal
import sys
import time
import traceback
from pathlib import Path

import msgspec

from bench.gpu.day import Day, Skipped, Stage
from bench.gpu.results import Figure, Finding, Parity, Problem, StageResult, State
from bench.gpu.stages import STAGES
from engines.disk import atomic_write


def run(stage: Stage, day: Day, file: Path) -> None:
    """Run a stage; rewrite the file after each finding, and at the end with the verdict."""
    started, found, reason = time.monotonic(), list[Finding](), ""
    write(file, result(stage, "stop", found, "it has not ended", started))
    state: State = "go"
    try:
        for finding in stage.run(day):
            found.append(finding)
            write(file, result(stage, "stop", found, "it has not ended", started))
    except Skipped as why:
        state, reason = "skipped", str(why)
    except Exception as error:  # the day goes on in another process
        traceback.print_exc()
        found.append(Problem(f"{type(error).__name__}: {error}"))
    problems = [finding.text for finding in found if isinstance(finding, Problem)]
    if problems:
        state, reason = "stop", "; ".join(problems)
    write(file, result(stage, state, found, reason, started))


def result(
    stage: Stage, state: State, found: list[Finding], reason: str, started: float
) -> StageResult:
    """A stage as it is in the file of the day."""
    return StageResult(
        stage.name,
        state,
        round(time.monotonic() - started, 1),
        reason,
        stage.look if state == "stop" else "",
        tuple(each for each in found if isinstance(each, Figure)),
        tuple(each for each in found if isinstance(each, Parity)),
    )


def write(file: Path, outcome: StageResult) -> None:
    """Replace the file."""
    with atomic_write(file) as temporary:
        temporary.write_bytes(msgspec.json.encode(outcome))


def main() -> None:
    """Be the process of one stage."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that services end, too
    name, file = sys.argv[1:]
    day = msgspec.json.decode(sys.stdin.buffer.read(), type=Day)
    run(STAGES[name], day, Path(file))


if __name__ == "__main__":
    main()
