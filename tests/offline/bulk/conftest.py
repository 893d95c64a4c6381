"""An object store with faults, in a separate process."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

BUCKET = "library"


class Store(NamedTuple):
    """A running S3 server; see `tests.offline.bulk.faulty_s3`."""

    url: str

    def put(self, key: str, data: bytes = b"") -> None:
        """Store an object as other programs do: its key may be any text."""
        httpx.put(f"{self.url}/{BUCKET}/{key}", content=data).raise_for_status()

    def faults(self, **faults: Any) -> None:
        """Change what the server does with the requests that follow."""
        httpx.post(f"{self.url}/_faults", json=faults).raise_for_status()

    def requests(self) -> list[str]:
        """Return the requests so far, such as "GET /library/a.jpg"."""
        return [" ".join(request) for request in httpx.get(f"{self.url}/_requests").json()]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The URL of a server."""
    command = [sys.executable, "-m", "tests.offline.bulk.faulty_s3"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())}"
        process.terminate()


@pytest.fixture
def store(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The server with an empty bucket, as the environment describes it to the command."""
    httpx.post(f"{s3_server}/moto-api/reset").raise_for_status()
    httpx.put(f"{s3_server}/{BUCKET}").raise_for_status()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    running = Store(s3_server)
    yield running
    running.faults()
