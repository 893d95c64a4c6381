"""uvicorn around the application, on a socket that is ours before anything slow begins."""

import os
import resource
import signal
import socket
from functools import partial
from types import FrameType

import structlog
import uvicorn

from analysis.workers.replica import Replica, replicas
from engines.errors import EngineError
from engines.types import Engine
from service.factory import Models, device_count, find_models
from service.http.app import make_app
from service.http.processes import Supervisor
from service.http.protocol import Connection
from service.settings import Settings
from service.telemetry.logs import configure

log = structlog.get_logger("emotions.server")
# Time past a request's deadline for its answer to leave.
GRACE_S = 5


def run(settings: Settings, engine: Engine | None = None) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted is answered first.

    `engine` is what `settings` ask for unless given.

    Raises:
        EngineError: the address is taken, or a plan is missing; the message names the fix.
    """
    configure(settings)
    with _listen(settings.host, settings.port) as listener:
        models = find_models(settings, engine)
        host, port = listener.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        log.info("serving", url=url, engine=models.engine.name, reason=models.reason)
        _allow_files()
        count = settings.http_processes
        if count == 1:
            _serve(settings, models, listener)
            return
    # A socket each: of one that they share, the process that wakes first takes all connections.
    each = [_listen(host, port, shared=True) for _ in range(count)]
    serve = partial(_serve, settings, models)
    Supervisor(serve, replicas(count, device_count(settings, models)), each).run()


def _allow_files() -> None:
    """Allow as many open files as the system lets us: each connection takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _serve(
    settings: Settings, models: Models, listener: socket.socket, replica: Replica | None = None
) -> None:
    """Run one HTTP process; `replica` is which part where there are several."""
    config = uvicorn.Config(
        make_app(settings, models, replica=replica),
        loop="uvloop",
        http=Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.deadline_s) + GRACE_S,
    )
    server = Server(config)
    # Until uvicorn takes them; it raises them again when it has shut down, and we end with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run(sockets=[listener])


class Server(uvicorn.Server):
    """uvicorn's, but a second signal of any kind ends it at once, answered or not."""

    def stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Stop as soon as the application has started; nothing was accepted yet."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            log.warning("stopping at once", signal=signal.Signals(sig).name)
            os._exit(128 + sig)
        super().handle_exit(sig, frame)


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen; `shared` lets other processes of this user listen there, too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise EngineError(
            f"cannot listen on {host}:{port} ({error.strerror}); stop what listens there or "
            "choose another with --host and --port"
        ) from error
    return listener
