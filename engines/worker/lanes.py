"""The worker's side: a thread for each runner that the service has open."""

import contextlib
import ctypes
import faulthandler
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from engines.runner import Engine, Runner
from engines.worker import control as words
from engines.worker.channel import Channel

log = logging.getLogger("emotions.worker")
# Time for runners to close after the service has gone.
GRACE_S = 5.0
PR_SET_PDEATHSIG = 1
# If memory runs out, the worker is to go before the service, which can start it anew.
OOM_SCORE = "500"


Opener = Callable[[Engine, words.Open], Runner]


def plain(engine: Engine, asked: words.Open) -> Runner:
    """Open the engine's runner of a plan."""
    return engine.open(asked.plan, asked.spec)


def run(load: Callable[[], Engine], opener: Opener = plain) -> None:
    """Serve the socket whose descriptor is the last argument until the service hangs up."""
    _outlive_nothing()
    control = socket.socket(fileno=int(sys.argv[-1]))
    logging.basicConfig(handlers=[words.Forwarder(control)], level=logging.INFO)
    lanes = _serve(partial(opener, load()), control)
    end = time.monotonic() + GRACE_S
    for lane in lanes:
        lane.join(max(0.0, end - time.monotonic()))
    os._exit(0)  # without waiting for a lane that hangs


def _outlive_nothing() -> None:
    """End when the service ends, which answers what it has accepted first."""
    faulthandler.enable()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


def _serve(
    opener: Callable[[words.Open], Runner], control: socket.socket
) -> list[threading.Thread]:
    lanes: list[threading.Thread] = []
    while True:
        data, descriptors, _, _ = socket.recv_fds(
            control, words.LONGEST, 1, socket.MSG_CMSG_CLOEXEC
        )
        if not data:
            return lanes
        channel = Channel(socket.socket(fileno=descriptors[0]))
        arguments = (opener, words.decode_open(data), channel)
        lane = threading.Thread(target=_lane, args=arguments, daemon=True)
        lane.start()
        lanes = [*(lane for lane in lanes if lane.is_alive()), lane]


def _lane(opener: Callable[[words.Open], Runner], asked: words.Open, channel: Channel) -> None:
    """Open a runner, say so with an empty message, and answer batches until one fails."""
    with contextlib.closing(channel), contextlib.suppress(EOFError, ConnectionError):
        try:
            with opener(asked) as runner:
                channel.send({})
                while True:
                    channel.send(runner.infer(channel.receive()))
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            log.exception("%s failed", asked.spec.name)
            channel.send_error(error)
