"""The notes that the pool and its processes send each other, see `channel.Message`."""

from collections.abc import Mapping

import msgspec

from analysis.plans import ModelPlans
from analysis.timing import Batch
from analysis.types import Options
from engines.types import Array

Arrays = Mapping[str, Array]
LONGEST_TEXT = 10_000


class Setup(msgspec.Struct, tag=True, array_like=True):
    """To a process, as its first note: the networks to open.

    engine: `Engine.origin`; capability: the compute capability that TensorRT-RTX compiled for;
    device: address of the device process, or None if the networks run in this process;
    gpu_memory: the budget of the networks on a GPU, in bytes, None for all free memory;
    jpeg_decoder: see `Settings.jpeg_decoder`; None if workers decode all images.
    """

    engine: str
    capability: str | None
    plans: ModelPlans
    device: str | None = None
    gpu_memory: int | None = None
    jpeg_decoder: str | None = None


class Images(msgspec.Struct, tag=True, array_like=True):
    """To a worker: images to analyze. The arrays of the message are their bytes or pixels.

    trusted: see `Input`; False if any of them is not.
    """

    options: list[Options]
    trusted: bool = True


class Reconnect(msgspec.Struct, tag=True, array_like=True):
    """To a worker: its device process has ended. Connect to the next one and send `Ready`."""


class Ready(msgspec.Struct, tag=True, array_like=True):
    """From a process: its networks are open and have run once."""


class ImageAnswer(msgspec.Struct, array_like=True):
    """The result of one image; its faces are in the arrays of the message.

    size: width and height in pixels; samples: index of the stage, start and end; error: name of
    the class, and message; turned: see `Analysis`.
    """

    size: tuple[int, int]
    samples: list[tuple[int, float, float]]
    error: tuple[str, str] | None = None
    turned: int = 0


class Answer(msgspec.Struct, tag=True, array_like=True):
    """From a worker: the results of its images, and the batches that its networks ran.

    failures: how many networks failed and were opened again; lost: the device process ended and no
    image was analyzed, and the worker waits for `Reconnect`; tried: False if the device had ended
    before the worker began.
    """

    images: list[ImageAnswer]
    batches: list[Batch]
    labels: int = 0
    failures: int = 0
    lost: bool = False
    tried: bool = True


class LogLine(msgspec.Struct, tag=True, array_like=True):
    """From a process: a line for the log of the service."""

    logger: str
    level: int
    text: str


ToProcess = Setup | Images | Reconnect
FromProcess = Ready | Answer | LogLine
_encoder = msgspec.msgpack.Encoder(enc_hook=lambda path: str(path.absolute()))
_to_process = msgspec.msgpack.Decoder(ToProcess, dec_hook=lambda kind, value: kind(value))
_from_process = msgspec.msgpack.Decoder(FromProcess)


def encode(note: ToProcess | FromProcess) -> bytes:
    """Encode a note; paths become absolute strings."""
    return _encoder.encode(note)


def to_process(data: bytes) -> ToProcess:
    """Decode a note that a process received."""
    note: ToProcess = _to_process.decode(data)
    return note


def from_process(data: bytes) -> FromProcess:
    """Decode a note that a process sent."""
    note: FromProcess = _from_process.decode(data)
    return note


def sendable(text: str) -> str:
    """Cut a text to the length that a note may have, and replace what UTF-8 cannot encode."""
    return text[:LONGEST_TEXT].encode(errors="replace").decode()
