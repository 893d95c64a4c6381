"""`python -m analysis.workers.device LISTENER`: a GPU's process, which runs all networks.

Its main thread queues the requests of the workers. Each network has its own threads, which merge
the requests into batches and run them. So does the JPEG decoder, if there is one.
"""

import logging
import os
import selectors
import socket
import struct
import sys
import threading

import msgspec

from analysis.workers import child, messages
from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.channel import Channel
from analysis.workers.decoder_thread import BATCH_PIXELS, DecoderThread
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.messages import Ready, Setup, encode
from analysis.workers.opening import Opening
from analysis.workers.remote import BEAT_S, JPEGS, Call
from analysis.workers.runner_thread import RunnerThread
from engines.select import load_engine

log = logging.getLogger("emotions.device")
# Threads per network, and slots for batches of all networks together: one batch is copied while
# another is computed.
THREADS = SLOTS = 2
# Python's switch interval. A thread with a finished batch must run soon: the GPU idles meanwhile.
SWITCH_S = 0.0005
_calls = msgspec.msgpack.Decoder(Call)


def serve(channel: Channel, heartbeats: Heartbeats) -> None:
    """Open the networks and serve workers until the service hangs up."""
    setup = messages.to_process(channel.receive().note)
    if not isinstance(setup, Setup):
        raise TypeError("the first message must be a Setup")
    sys.setswitchinterval(SWITCH_S)
    with heartbeats.opening():
        batchers = _start_threads(setup, heartbeats)
    channel.send(encode(Ready()))
    listener = socket.socket(fileno=int(sys.argv[1]))
    Receiver(listener, channel, batchers, heartbeats).run()


def _start_threads(setup: Setup, heartbeats: Heartbeats) -> dict[str, Batcher]:
    """Start the threads of all networks, and wait until they are ready; return the batchers."""
    engine = load_engine(setup.engine, setup.capability, setup.gpu_memory)
    slots = threading.Semaphore(SLOTS)
    batchers = {name: Batcher(plan.batch, slots) for name, plan in setup.plans.of_engine.items()}
    opening = Opening(THREADS * len(batchers))
    threads: list[RunnerThread | DecoderThread] = [
        RunnerThread(engine, plan, batchers[name], opening)
        for name, plan in setup.plans.of_engine.items()
        for _ in range(THREADS)
    ]
    if setup.jpeg_decoder is not None:
        # Separate slots: the decoder and the networks do not wait for each other.
        batchers[JPEGS] = Batcher(BATCH_PIXELS, threading.Semaphore(THREADS))
        threads += [DecoderThread(setup.jpeg_decoder, batchers[JPEGS]) for _ in range(THREADS)]
    for number, thread in enumerate(threads, 1):
        thread.start(heartbeats, number)
    for thread in threads:
        while not thread.ready.wait(BEAT_S):
            heartbeats.beat()
    return batchers


class Receiver:
    """Accepts workers and queues their requests."""

    def __init__(
        self,
        listener: socket.socket,
        control: Channel,
        batchers: dict[str, Batcher],
        heartbeats: Heartbeats,
    ) -> None:
        listener.setblocking(False)
        self._listener, self._control = listener, control
        self._batchers, self._heartbeats = batchers, heartbeats
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._selector.register(control, selectors.EVENT_READ, control)

    def run(self) -> None:
        """Serve until the service hangs up.

        Raises:
            EOFError, ConnectionError: the service has hung up.
        """
        while True:
            self._heartbeats.beat()
            for key, _ in self._selector.select(BEAT_S):
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
        if _same_user(connection) and _send_ready(worker):
            self._selector.register(worker, selectors.EVENT_READ, worker)
        else:
            worker.close()

    def _receive(self, channel: Channel) -> None:
        try:
            message = channel.receive(0)
            call = _calls.decode(message.note)
            request = QueuedRows(message.arrays["rows"], channel, call.size)
            self._batchers[call.network].put(request)
        except BlockingIOError:
            return
        except (EOFError, OSError):
            if channel is self._control:
                raise
            self._selector.unregister(channel)
            channel.close()


def _same_user(connection: socket.socket) -> bool:
    """Return whether the worker runs as our own user: any user can connect to the socket."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, user, _ = struct.unpack("3i", credentials)
    return bool(user == os.getuid())


def _send_ready(worker: Channel) -> bool:
    """Report to a worker that the networks are open; return False if the worker has ended."""
    try:
        worker.send_note(b"")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    child.run(serve)
