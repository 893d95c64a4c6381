"""Start a process of the pool, with a channel to it and its heartbeats."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from socket import socket
from typing import NamedTuple

from analysis.workers import heartbeats
from analysis.workers.channel import Channel
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.sockets import pair
from engines.gpus import Gpu, only

# The folder of our packages, for `python -m`: the service may run in another one.
ROOT = Path(__file__).parents[2]
SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Child(NamedTuple):
    """A process, the service's end of the channel to it, and its heartbeats."""

    process: subprocess.Popen[bytes]
    channel: Channel
    heartbeats: Heartbeats


def launch(module: str, listener: socket | None = None, gpu: Gpu | None = None) -> Child:
    """Run `python -m MODULE [LISTENER] CHANNEL HEARTBEATS`; the arguments are descriptors.

    CUDA sees only `gpu` there, or else the GPUs that it sees here.

    Raises:
        OSError: the process cannot be started.
    """
    ours, theirs = pair()
    memory = heartbeats.allocate()
    watched = Heartbeats(memory)
    watched.starting()
    passed = [theirs.fileno(), memory]
    if listener is not None:
        passed.insert(0, listener.fileno())
    command = [sys.executable, "-m", module, *map(str, passed)]
    # The process inherits the mask: Ctrl-C is for the service, see `child.run`.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            command,
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            cwd=ROOT,
            env=None if gpu is None else only(gpu),
        )
        return Child(process, Channel(ours), watched)
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
        theirs.close()
        os.close(memory)
