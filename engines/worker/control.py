"""What the service and its worker tell each other beside batches."""

import logging
import socket
import traceback
from pathlib import Path
from typing import Any

import msgspec

from engines.catalog import ModelSpec

LONGEST = 1 << 16
LONGEST_LINE = 10_000


class Open(msgspec.Struct):
    """To the worker: load a plan and serve it on the socket that comes with this.

    `more` is for a worker that makes more of it than the engine's runner.
    """

    plan: Path
    spec: ModelSpec
    more: bytes = b""


class Line(msgspec.Struct):
    """From the worker: a line for the service's log."""

    logger: str
    level: int
    text: str


def encode(message: Open | Line) -> bytes:
    """A message as bytes; paths become strings."""
    return msgspec.msgpack.encode(message, enc_hook=str)


def decode_open(data: bytes) -> Open:
    """The inverse of `encode`."""
    return msgspec.msgpack.decode(data, type=Open, dec_hook=_path)


def decode_line(data: bytes) -> Line:
    """The inverse of `encode`."""
    return msgspec.msgpack.decode(data, type=Line)


class Forwarder(logging.Handler):
    """Sends log records to the service, whose log has one form and one place."""

    def __init__(self, control: socket.socket) -> None:
        super().__init__()
        self._control = control

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, its traceback as text without the values of variables."""
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info))
            self._control.sendall(encode(Line(record.name, record.levelno, text[:LONGEST_LINE])))
        except Exception:  # what `logging.Handler` asks for: a log line must not break its caller
            self.handleError(record)


def _path(kind: type, value: Any) -> Any:
    return kind(value)
