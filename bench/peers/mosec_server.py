"""mosec: `python -m bench.peers.mosec_server --port PORT`.

Its best settings here: one stage, one worker process per core, batches of one. Separate stages for
decoding and the networks would send each image between processes twice, and on a CPU a batch costs
as much as its items (docs/adr/0004). Workers get the bodies unparsed; msgspec encodes the answers.
"""

from typing import Any

import msgspec
from mosec import Server, Worker

from bench.limit.work import Work
from engines import cpu


class Emotions(Worker):  # type: ignore[misc]  # not installed where types are checked
    """A process with its own networks."""

    def __init__(self) -> None:
        super().__init__()
        self._work = Work.by_environment()

    def deserialize(self, data: bytes | bytearray) -> bytes:
        """Return the body, which is the JPEG; mosec gives a bytearray."""
        return bytes(data)

    def serialize(self, data: Any) -> bytes:
        """JSON."""
        return msgspec.json.encode(data)

    def forward(self, data: bytes) -> dict[str, Any]:
        """Faces of one JPEG."""
        return self._work.answer(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Emotions, num=cpu.available(), timeout=60, start_method="spawn")
    server.run()
