"""`python -m bench.parts`: how many parts per second the driver of Ray Data starts and completes.

The actors return at once, so that only Ray's own work is measured. With real parts this is the
limit of a whole cluster.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import ray

from bench.measure.output import machine
from offline.bulk.on_ray import Cluster, Column, connect, reports
from offline.bulk.types import Part
from offline.files import FoundFile

FILES = 256


class Actor:
    """Returns an empty report for each part."""

    def __call__(self, batch: Column) -> Column:
        return {"report": np.array([json.dumps({})] * len(batch["part"]), object)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.parts", description=__doc__)
    parser.add_argument("--parts", type=int, default=2000)
    count = parser.parse_args(arguments).parts
    files = [FoundFile(Path(f"films/{n:05d}.jpg"), f"films/{n:05d}.jpg") for n in range(FILES)]
    connect("local")
    found = reports(Cluster("local"), [Part(n, files) for n in range(count)], Actor)
    next(found)
    started = time.monotonic()
    rest = sum(1 for _ in found)
    print(f"{machine()}: {rest / (time.monotonic() - started):.0f} parts/s of {FILES} files")
    ray.shutdown()


if __name__ == "__main__":
    main()
