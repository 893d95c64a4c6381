"""`python -m bench.host.loop FILE SECONDS`: decodes one JPEG with `cv2.imdecode` in a plain loop.

It must import and decode nothing else, see `bench.measure.loops`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from bench.measure.loops import child


def main() -> None:
    """Be one of the processes of `side_by_side`."""
    encoded = np.frombuffer(Path(sys.argv[1]).read_bytes(), np.uint8)
    cv2.setNumThreads(1)
    child(float(sys.argv[2]), lambda: cv2.imdecode(encoded, cv2.IMREAD_COLOR))


if __name__ == "__main__":
    main()
