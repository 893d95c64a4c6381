"""Ray Serve: `python -m bench.peers.ray_server PORT`, with the variables `bench.peers.peer.RAY`.

Its best settings here: one replica per core, each with its own networks and one request at a time
(batches gain nothing on a CPU, docs/adr/0004); short queues at the replicas and a long one at the
proxy; no dashboard, no access log, no usage report.
"""

import signal
import sys

import msgspec
import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import Response

from bench.limit.work import Work
from engines import cpu

# Images and answers do not pass through the object store, which takes a third of memory by default.
OBJECT_STORE_BYTES = 100 << 20


class Emotions:
    """A process with its own networks."""

    def __init__(self) -> None:
        self._work = Work.by_environment()

    async def __call__(self, request: Request) -> Response:
        """Find the faces of the JPEG in the body."""
        found = self._work.answer(await request.body())
        return Response(msgspec.json.encode(found), media_type="application/json")


if __name__ == "__main__":
    deployment = serve.deployment(
        num_replicas=cpu.available(),
        max_ongoing_requests=4,
        ray_actor_options={"num_cpus": 1},
        logging_config=LoggingConfig(enable_access_log=False, log_level="WARNING"),
    )(Emotions)
    ray.init(
        num_cpus=cpu.available() + 1,
        object_store_memory=OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(deployment.bind(), route_prefix="/inference")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
