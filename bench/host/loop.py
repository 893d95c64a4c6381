"""`python -m bench.host.loop FILE SECONDS`: decodes one JPEG in a plain loop, when it is told to.

It must import nothing else and decode nothing else; see `bench.host.yardstick`.
"""

import sys
import time
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Print a line when ready, wait for a line, decode, and print images per second."""
    encoded = np.frombuffer(Path(sys.argv[1]).read_bytes(), np.uint8)
    seconds = float(sys.argv[2])
    cv2.setNumThreads(1)
    cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    print("ready", flush=True)
    sys.stdin.readline()
    count, started = 0, time.perf_counter()
    while time.perf_counter() < started + seconds:
        cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        count += 1
    print(count / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
