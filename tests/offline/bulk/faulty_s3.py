"""`python -m tests.offline.bulk.faulty_s3`: moto's S3 in a process, with faults as requested.

It prints its port. `POST /_faults` with JSON sets the `Faults` of the requests that follow;
`GET /_requests` returns the method and path of each request so far.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

KINDS = ("slow", "error", "cut", "gone", "late")


class Faults(NamedTuple):
    """A share of requests fails, as one of `kinds`.

    These are 503, 500, a body that is cut in half, no answer, and a delay. With `dead` all requests
    below `path` get no answer; with `code` they get that error.
    """

    share: float = 0.0
    kinds: Sequence[str] = KINDS
    delay_s: float = 0.2
    seed: int = 0
    dead: bool = False
    code: str = ""
    path: str = "/"


class FaultyS3:
    """The WSGI application of moto behind faults."""

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._lock, self._requests = threading.Lock(), list[tuple[str, str]]()
        self._set(Faults())

    def _set(self, faults: Faults) -> None:
        self._faults, self._random = faults, random.Random(faults.seed)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/_faults":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            self._set(Faults(**json.loads(body)))
            return _answer(start, "200 OK", b"")
        if path == "/_requests":
            return _answer(start, "200 OK", json.dumps(self._requests).encode())
        with self._lock:
            self._requests.append((method, path))
            hit = self._random.random() < self._faults.share
            kind = self._random.choice(self._faults.kinds) if hit else ""
        if path.startswith(self._faults.path):
            kind = "gone" if self._faults.dead else "denied" if self._faults.code else kind
        return self._faulty(kind, environ, start)

    def _faulty(self, kind: str, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if kind in ("slow", "error", "gone", "denied"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        match kind:
            case "slow":
                return _answer(start, "503 Slow Down", b"<Error><Code>SlowDown</Code></Error>")
            case "error":
                return _answer(start, "500 Internal Server Error", b"")
            case "denied":
                code = f"<Error><Code>{self._faults.code}</Code><Message>No.</Message></Error>"
                return _answer(start, "403 Forbidden", code.encode())
            case "gone":
                _drop(environ)
            case "late":
                time.sleep(self._faults.delay_s)
        body = self._app(environ, start)
        return _half(body, environ) if kind == "cut" else body


def _answer(start: Any, status: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Length", str(len(body)))])
    return [body]


def _half(body: Iterable[bytes], environ: dict[str, Any]) -> Iterator[bytes]:
    whole = b"".join(body)
    yield whole[: len(whole) // 2]
    _drop(environ)


def _drop(environ: dict[str, Any]) -> NoReturn:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def main() -> None:
    """Serve until the process is ended."""
    server = make_server("127.0.0.1", 0, FaultyS3(), threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
