"""nginx in front of the pods; it reloads its configuration when the list of pods changes."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from bench.load.client import REFUSED, Connection, Reply
from bench.scaling.pods import READY

CONFIGURATION = """
user root; daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;
    upstream emotions {{
{servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://emotions;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream {retry};
            proxy_read_timeout 40s;
            client_max_body_size 64m;
        }}
    }}
}}
"""
# What nginx does by default: another pod, if a connection fails before the request was sent.
RETRY, NO_RETRY = "error timeout", "off"
NOBODY = "127.0.0.1:9"


class Balancer:
    """A running nginx; its URL."""

    def __init__(self, folder: Path, port: int, retry: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder, self._port, self._retry = folder, port, retry
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start nginx without pods, and wait until it answers."""
        self._write(())
        self._process = await asyncio.create_subprocess_exec(
            *("nginx", "-e", f"{self._folder}/error.log", "-c", f"{self._folder}/nginx.conf")
        )
        await self._until(lambda reply: reply.error != REFUSED)

    async def ready(self) -> None:
        """Wait until a pod answers."""
        await self._until(lambda reply: reply.status == 200)

    def route(self, addresses: Iterable[str]) -> None:
        """Send requests to these pods from now on."""
        if self._process is not None:
            self._write(addresses)
            self._process.send_signal(signal.SIGHUP)

    async def stop(self) -> None:
        """End nginx."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def _until(self, holds: Callable[[Reply], bool]) -> None:
        probe = Connection(self.url)
        while not holds(await probe.send(READY)):  # noqa: ASYNC110  (another process changes it)
            await asyncio.sleep(0.02)
        probe.close()

    def _write(self, addresses: Iterable[str]) -> None:
        servers = "\n".join(f"        server {each};" for each in list(addresses) or [NOBODY])
        text = CONFIGURATION.format(
            folder=self._folder, port=self._port, servers=servers, retry=self._retry
        )
        (self._folder / "nginx.conf").write_text(text)


@asynccontextmanager
async def balancing(folder: Path, port: int, retry: str = RETRY) -> AsyncIterator[Balancer]:
    """Run nginx in the block, at first without pods."""
    balancer = Balancer(folder, port, retry)
    try:
        await balancer.start()
        yield balancer
    finally:
        await balancer.stop()
