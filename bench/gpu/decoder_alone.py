"""The JPEG decoder of a device process without networks, in threads of this process."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import msgspec

from analysis.workers import heartbeats
from analysis.workers.batcher import Batcher, QueuedRows
from analysis.workers.channel import Channel
from analysis.workers.decoder_thread import BATCH_PIXELS, DecoderThread
from analysis.workers.heartbeats import Heartbeats
from analysis.workers.remote import JPEGS, Call, DeviceClient
from analysis.workers.remote_jpegs import RemoteJpegDecoder
from analysis.workers.sockets import address, listen


@contextmanager
def served(name: str) -> Iterator[RemoteJpegDecoder]:
    """Serve the decoder `name` to one worker, which is the caller."""
    batcher = Batcher(BATCH_PIXELS, threading.Semaphore())
    memory = heartbeats.allocate()
    DecoderThread(name, batcher).start(Heartbeats(memory), 1)
    os.close(memory)
    with closing(listen()) as listener:
        threading.Thread(target=_queue, args=(listener, batcher), daemon=True).start()
        with DeviceClient(address(listener), lambda: None, (JPEGS,)) as device:
            yield RemoteJpegDecoder(device)


def _queue(listener: socket.socket, batcher: Batcher) -> None:
    """Queue the requests of the first worker, as the main thread of a device process does."""
    connection, _ = listener.accept()
    with closing(Channel(connection)) as worker, suppress(EOFError, OSError):
        worker.send_note(b"")
        while True:
            message = worker.receive()
            call = msgspec.msgpack.decode(message.note, type=Call)
            batcher.put(QueuedRows(message.arrays["rows"], worker, call.size))
