"""`python -m bench.serve ENGINE --port PORT`: the real service with any engine, such as a fake one.

ENGINE is an origin as `engines.types.load_engine` takes it, `bench.fakes:instant:8` for example.
"""

import argparse

from engines.select import load_engine
from service.http.server import run
from service.settings import Settings


def main() -> None:
    """Serve until SIGTERM."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("engine")
    arguments.add_argument("--port", type=int, default=8000)
    given = arguments.parse_args()
    run(Settings(port=given.port), engine=load_engine(given.engine))


if __name__ == "__main__":
    main()
