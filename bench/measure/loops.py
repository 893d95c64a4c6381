"""Plain loops: the same work without a server, in one process per core.

This file imports only the standard library: what a process has imported and allocated changes how
fast it decodes. In a fresh process glibc returns the memory of each image to the system, and a
640x480 JPEG takes 1.9 ms with 420 page faults; in a process that once held larger images it takes
1.0 ms and no page fault. So each measurement starts new processes.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path


def calls_per_second(run: Callable[[], object], seconds: float) -> float:
    """Call `run` for `seconds`, at least once."""
    count, started = 0, time.perf_counter()
    while count == 0 or time.perf_counter() < started + seconds:
        run()
        count += 1
    return count / (time.perf_counter() - started)


def child(seconds: float, *runs: Callable[[], object]) -> None:
    """Be one of the processes of `side_by_side`: print the rate of each of `runs`."""
    for run in runs:
        run()
    print("ready", flush=True)
    sys.stdin.readline()
    print(*(calls_per_second(run, seconds) for run in runs))


def side_by_side(module: str, body: bytes, seconds: float, count: int) -> list[float]:
    """Start `python -m MODULE FILE SECONDS` `count` times; return the sums of their rates.

    MODULE reads `body` from FILE and calls `child`. All processes begin at the same time.

    Raises:
        RuntimeError: a process ended early; its error is on stderr.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file, pipe = Path(folder, "body"), subprocess.PIPE
        file.write_bytes(body)
        command = [sys.executable, "-m", module, str(file), str(seconds)]
        processes = [
            stack.enter_context(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))  # noqa: S603  (ourselves)
            for _ in range(count)
        ]
        if not all(process.stdout and process.stdout.readline() for process in processes):
            raise RuntimeError(f"{module} ended before it was ready")
        for process in processes:
            if process.stdin:
                process.stdin.write("\n")
                process.stdin.flush()
        outputs = [process.communicate()[0].split() for process in processes]
    return [sum(map(float, rates)) for rates in zip(*outputs, strict=True)]
