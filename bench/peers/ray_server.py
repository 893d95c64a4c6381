"""Ray Serve: `python -m bench.peers.ray_server PORT`.

Its best settings here: a replica a core, each with its networks and one request at a time (batches
gain nothing on a CPU, docs/adr/0004), short queues at the replicas and the rest at the proxy; no
dashboard, no access log, no usage report.
"""

import os
import signal
import sys

# Before Ray is imported. It listens on this machine only, and gets time to start on a busy one.
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_raylet_start_wait_time_s": "60",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "60",
}

import msgspec
import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.requests import Request
from starlette.responses import Response

from bench.work import Work
from engines import cpu

# Images and answers do not pass through the object store; by default it takes a third of memory.
OBJECTS = 100 << 20


class Emotions:
    """A process with networks of its own."""

    def __init__(self) -> None:
        self._work = Work.by_environment()

    async def __call__(self, request: Request) -> Response:
        """Faces of the JPEG that is the body."""
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
        object_store_memory=OBJECTS,
        include_dashboard=False,
        log_to_driver=False,
    )
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(deployment.bind(), route_prefix="/inference")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
