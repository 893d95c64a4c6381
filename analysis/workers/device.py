"""`python -m analysis.workers.device LISTENER`: a GPU's process, which batches for all workers.

The main thread reads the workers' requests; each network has its own threads, which run batches.
"""

import logging
import os
import selectors
import socket
import struct
import sys
import threading
from contextlib import suppress

import msgspec

from analysis.workers import child, messages
from analysis.workers.batcher import Batcher, Request
from analysis.workers.channel import Channel
from analysis.workers.child import Beats
from analysis.workers.messages import Ready, Setup, encode
from analysis.workers.remote import PAUSE_S, Call
from analysis.workers.stream import Stream
from engines.select import load_engine

log = logging.getLogger("emotions.device")
# Of each network, and of all together: while one batch is computed, the next is copied.
STREAMS = SLOTS = 2
# A thread whose batch is done must not wait for another one's turn: the GPU idles meanwhile.
SWITCH_S = 0.0005
_calls = msgspec.msgpack.Decoder(Call)


def serve(channel: Channel, beats: Beats) -> None:
    """Open the networks and answer workers until the service hangs up."""
    setup = messages.to_process(channel.receive().note)
    if not isinstance(setup, Setup):
        raise TypeError("the first message says what to open")
    sys.setswitchinterval(SWITCH_S)
    beats.beat()
    engine = load_engine(setup.engine, setup.capability).on(setup.gpu)
    slots = threading.Semaphore(SLOTS)
    batchers = {task: Batcher(plan.batch, slots) for task, plan in setup.plans.all.items()}
    streams = [
        Stream(engine, plan, batchers[task])
        for task, plan in setup.plans.all.items()
        for _ in range(STREAMS)
    ]
    for number, stream in enumerate(streams, 1):
        stream.start(beats, number)
    for stream in streams:
        while not stream.opened.wait(PAUSE_S):
            beats.beat()
    channel.send(encode(Ready()))
    listener = socket.socket(fileno=int(sys.argv[1]))
    with suppress(EOFError, ConnectionError):
        Receiver(listener, channel, batchers, beats).run()
    os._exit(0)  # without waiting for a stream that hangs


class Receiver:
    """Accepts workers and queues their requests."""

    def __init__(
        self, listener: socket.socket, control: Channel, batchers: dict[str, Batcher], beats: Beats
    ) -> None:
        listener.setblocking(False)
        self._listener, self._control = listener, control
        self._batchers, self._beats = batchers, beats
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._selector.register(control, selectors.EVENT_READ, control)

    def run(self) -> None:
        """Serve until the service hangs up.

        Raises:
            EOFError, ConnectionError: it has.
        """
        while True:
            self._beats.beat()
            for key, _ in self._selector.select(PAUSE_S):
                if key.data is None:
                    self._accept()
                else:
                    self._receive(key.data)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        worker = Channel(connection)
        if _ours(connection) and _greeted(worker):
            self._selector.register(worker, selectors.EVENT_READ, worker)
        else:
            worker.close()

    def _receive(self, channel: Channel) -> None:
        try:
            message = channel.receive(0)
            call = _calls.decode(message.note)
            self._batchers[call.task].put(Request(message.arrays["rows"], channel))
        except BlockingIOError:
            return
        except (EOFError, OSError):
            if channel is self._control:
                raise
            self._selector.unregister(channel)
            channel.close()


def _ours(connection: socket.socket) -> bool:
    """Whether the worker is a process of our own user: the address is open to all."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


def _greeted(worker: Channel) -> bool:
    """Let a worker know that the networks are open; False if it has ended meanwhile."""
    try:
        worker.note(b"")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    child.run(serve)
