"""LitServe: `python -m bench.peers.litserve_server PORT`.

Its best settings here: one worker process per core; batches of one (on a CPU a batch costs as much
as its items, docs/adr/0004); the fast queue (ZeroMQ). Bodies must be JSON or forms, so the JPEG is
sent as base64, as in LitServe's own example for images.
"""

import base64
import sys
from typing import Any

import litserve
import msgspec
from fastapi import Response

from bench.limit.work import Work
from engines import cpu


class Emotions(litserve.LitAPI):  # type: ignore[misc]  # not installed where types are checked
    """A process with its own networks."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Open the networks in the process that runs them."""
        self._work = Work.by_environment()

    def decode_request(self, request: dict[str, Any]) -> bytes:
        """The JPEG."""
        return base64.b64decode(request["image"])

    def predict(self, x: bytes) -> dict[str, Any]:
        """Faces of one JPEG."""
        return self._work.answer(x)

    def encode_response(self, output: dict[str, Any]) -> Response:
        """JSON, by msgspec."""
        return Response(msgspec.json.encode(output), media_type="application/json")


if __name__ == "__main__":
    server = litserve.LitServer(
        Emotions(max_batch_size=1),
        accelerator="cpu",
        workers_per_device=cpu.available(),
        fast_queue=True,
        timeout=60,
    )
    server.run(port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
