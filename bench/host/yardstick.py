"""What the host is compared with: `cv2.imdecode` of one JPEG in plain loops, a process per core.

Each measurement starts its processes anew, because their history counts: in a fresh process glibc
returns the memory of each image to the system, and 640x480 takes 1.9 ms with 420 page faults; in a
process that has once held larger images it takes 1.0 ms and none. Only the first is the same
everywhere, and it is what a plain loop does.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from engines import cpu

START_S = 60.0


def decoded(body: bytes, seconds: float) -> float:
    """Images per second of all cores together."""
    count = cpu.available()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(count) as threads:
        file, together = Path(folder, "image.jpg"), Barrier(count, timeout=START_S)
        file.write_bytes(body)
        loops = [threads.submit(_loop, file, seconds, together) for _ in range(count)]
        return sum(loop.result() for loop in loops)


def _loop(file: Path, seconds: float, together: Barrier) -> float:
    """Images per second of one process; all processes begin together."""
    command = [sys.executable, "-m", "bench.host.loop", str(file), str(seconds)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:  # noqa: S603  (ourselves)
        if process.stdout is None:
            raise AssertionError
        process.stdout.readline()
        together.wait()
        rate, _ = process.communicate(b"\n")
    return float(rate)
