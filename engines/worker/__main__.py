"""`python -m engines.worker ENGINE CAPABILITY DESCRIPTOR`: started by `engines.worker.process`."""

import sys
from functools import partial

from engines.runner import load_engine
from engines.worker.lanes import run

if __name__ == "__main__":
    name, capability = sys.argv[1:3]
    run(partial(load_engine, name, capability or None))
