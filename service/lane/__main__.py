"""`python -m service.lane ENGINE CAPABILITY DESCRIPTOR`: a worker that opens lanes too."""

import sys
from functools import partial

from engines.runner import Engine, Runner, load_engine
from engines.worker import lanes
from engines.worker.control import Open
from service.lane.lane import Lane
from service.lane.wire import LaneRunner, decode


def opener(engine: Engine, asked: Open) -> Runner:
    """Open a lane where one is described, else a runner."""
    if not asked.more:
        return lanes.plain(engine, asked)
    return LaneRunner(Lane.open(engine, decode(asked.more)))


if __name__ == "__main__":
    name, capability = sys.argv[1:3]
    lanes.run(partial(load_engine, name, capability or None), opener)
