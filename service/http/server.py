"""Runs the application in uvicorn, on a socket that is opened before anything slow starts."""

import os
import signal
import socket
from functools import partial
from types import FrameType

import structlog
import uvicorn

from analysis.workers.replica import Replica, replicas
from engines.errors import EngineError
from engines.types import Engine
from service.factory import FoundModels, find_models, layout_of
from service.http.app import check, make_app
from service.http.processes import Supervisor
from service.http.protocol import Connection
from service.settings import Settings
from service.telemetry.logs import configure
from service.wrong_settings import misspelt

log = structlog.get_logger("emotions.server")
BACKLOG = 2048
# Seconds after the deadline of the last request for its answer to be sent.
GRACE_S = 5


def run(settings: Settings, engine: Engine | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted by then are answered.

    `engine` replaces the engine of `settings`.

    Raises:
        EngineError: the address is taken, or a plan is missing; the message names the fix.
    """
    configure(settings)
    for warning in misspelt():
        log.warning("setting.unknown", reason=warning)
    with _listen(settings.host, settings.port) as listener:
        models = find_models(settings, engine)
        host, port = listener.getsockname()[:2]
        count = settings.http_processes
        if count == 1:
            _serve(settings, models, listener)
            return
    check(settings)
    devices = layout_of(settings, models, Replica()).devices
    # Each process has a socket of its own. With a shared one, the process that wakes up first
    # would take all connections.
    listeners = [_listen(host, port, shared=True) for _ in range(count)]
    serve = partial(_serve, settings, models)
    Supervisor(serve, replicas(count, len(devices)), listeners).run()


def _address(host: str, port: int) -> str:
    """Return `host:port` as URLs have it: IPv6 addresses in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _serve(
    settings: Settings, models: FoundModels, listener: socket.socket, replica: Replica | None = None
) -> None:
    """Run one HTTP process; `replica` is set if there are several."""
    app = make_app(settings, models, replica=replica)
    if replica is None or replica.number == 0:
        url = f"http://{_address(*listener.getsockname()[:2])}"
        log.info("serving", url=url, engine=models.engine.name, reason=models.reason)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Nothing depends on the address or the scheme of the client, so nobody can forge them.
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=int(settings.deadline_s) + GRACE_S,
    )
    server = Server(config)
    # uvicorn replaces these handlers when it starts. After its shutdown it restores them and raises
    # the signals again; with these handlers the process then exits with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn's server; a second SIGTERM or SIGINT ends the process at once."""

    def stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop as soon as the application has started; nothing was accepted before."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            log.warning("stopping at once", signal=signal.Signals(sig).name)
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen; with `shared` other processes of this user may listen on the port, too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"cannot listen on {_address(host, port)} ({error.strerror}); stop the program that "
            "listens there, or choose another address with --host and --port"
        ) from error
    return listener
