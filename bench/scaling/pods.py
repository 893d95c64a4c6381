"""A pod: one process of the service, with networks that take a fixed time per image."""

import asyncio
import os
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from typing import IO

from bench.load.client import Connection, request

POLL_S = 0.05
READY = request(path="/readyz", method="GET")


class PodError(Exception):
    """A pod ended before it was ready, or did not end with 0."""


@dataclass(eq=False)
class Pod:
    """`emotions serve` with one worker on a port, from its start to its end."""

    port: int
    image_ms: float
    deadline_s: float
    _log: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    _process: asyncio.subprocess.Process | None = None
    _ready: bool = False
    _stopped: bool = False

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start the process, and wait until it is ready or is stopped.

        Raises:
            PodError: the process has ended by itself.
        """
        settings = {
            "ENGINE": f"bench.fakes:simulated:0,{self.image_ms:g},0",
            "WORKERS": "1",
            "DEVICE_PROCESS": "false",
            "DEADLINE_S": f"{self.deadline_s:g}",
            "LOG_LEVEL": "warning",
        }
        given = {f"EMOTIONS_{name}": value for name, value in settings.items()}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "offline.cli", "serve", "--port", str(self.port)),
            env=os.environ | given,  # noqa: TID251  (for the server)
            stderr=self._log,
        )
        probe = Connection(f"http://{self.address}")
        while not (self._stopped or self._ready):
            if self._process.returncode is not None:
                raise PodError(f"the pod did not start\n{self._end_of_log()}")
            await asyncio.sleep(POLL_S)
            self._ready = (await probe.send(READY)).status == 200
        probe.close()

    async def stop(self) -> None:
        """Send SIGTERM, and wait until the process has ended.

        Raises:
            PodError: it was ready and did not end with 0.
        """
        self._stopped = True
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        if await self._process.wait() and self._ready:
            raise PodError(f"the pod ended with {self._process.returncode}\n{self._end_of_log()}")

    def kill(self) -> None:
        """End the process at once, if it runs; nothing can be called after this."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        self._log.close()

    def _end_of_log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]
