"""Ray on this machine, and `serve` in it: `python -m tests.ray.cluster PORT FOLDER ARGUMENTS...`.

Ray itself would listen on port 8000, take a third of the memory, and start a dashboard. `serve
ARGUMENTS` then uses this cluster. The cluster ends with this process.
"""

import sys

import ray
from ray import serve
from ray.serve.scripts import cli

CORES, OBJECT_STORE_BYTES = 4, 100 << 20


def main(port: str, folder: str, *arguments: str) -> None:
    ray.init(
        address="local",
        num_cpus=CORES,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        _temp_dir=folder,
        namespace="serve",
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    cli(arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
