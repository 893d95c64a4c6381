"""What the pool and its processes send each other, as notes and arrays of `channel.Message`."""

from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec
import numpy as np

from analysis import errors
from analysis.analyze import Result, Task
from analysis.errors import ServiceError
from analysis.networks import Plans
from analysis.timing import Batch, Sample, Stage
from analysis.types import Analysis, Detections, Options
from analysis.workers.channel import Message
from engines.types import Array

Arrays = Mapping[str, Array]
LONGEST_LINE = 10_000
STAGES: tuple[Stage, ...] = get_args(Stage)
# Columns of a face: box, landmarks, score; then one for each label, then its embedding.
BOX, POINTS, SCORE = 4, 14, 15


class Setup(msgspec.Struct, tag=True, array_like=True):
    """To a process, first: what to open. `device` is the address of the device process, if any."""

    engine: str
    capability: str | None
    gpu: int
    plans: Plans
    device: str | None = None


class Images(msgspec.Struct, tag=True, array_like=True):
    """To a worker: the options of each image, whose bytes or pixels are the arrays."""

    options: list[Options]


class Reconnect(msgspec.Struct, tag=True, array_like=True):
    """To a worker: its device process has ended, connect to the next and send `Ready`."""


class Ready(msgspec.Struct, tag=True, array_like=True):
    """From a process: its networks are open and have run once."""


class ImageAnswer(msgspec.Struct, array_like=True):
    """What became of one image; its faces are in the arrays."""

    size: tuple[int, int]
    samples: list[tuple[int, float, float]]
    error: tuple[str, str] | None = None


class Answer(msgspec.Struct, tag=True, array_like=True):
    """From a worker: what became of its images, and the batches that its networks ran.

    `failures` counts networks that failed and were opened anew. Where `lost`, the device process
    ended and no image was analyzed; the worker waits for `Reconnect`. The images were not `tried`
    if the device had ended before the worker began.
    """

    images: list[ImageAnswer]
    batches: list[Batch]
    labels: int = 0
    failures: int = 0
    lost: bool = False
    tried: bool = True


class Line(msgspec.Struct, tag=True, array_like=True):
    """From a process: a line for the service's log."""

    logger: str
    level: int
    text: str


ToProcess = Setup | Images | Reconnect
FromProcess = Ready | Answer | Line
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


def plain(text: str, longest: int = LONGEST_LINE) -> str:
    """Cut a text to what a note may have, and replace what UTF-8 does not encode."""
    return text[:longest].encode(errors="replace").decode()


def images(tasks: Sequence[Task]) -> tuple[Images, dict[str, Array]]:
    """The note and the arrays of some tasks."""
    arrays = {
        str(index): np.frombuffer(task.source, np.uint8)
        if isinstance(task.source, bytes)
        else task.source
        for index, task in enumerate(tasks)
    }
    return Images([task.options for task in tasks]), arrays


def tasks(note: Images, arrays: Mapping[str, Array]) -> list[Task]:
    """Invert `images`; pixels stay in the sender's memory."""
    sources = [arrays[str(index)] for index in range(len(note.options))]
    return [
        Task(source.tobytes() if source.ndim == 1 else source, options)
        for source, options in zip(sources, note.options, strict=True)
    ]


def answer(
    results: Sequence[Result], batches: list[Batch], failures: int
) -> tuple[Answer, dict[str, Array]]:
    """The note and the arrays of some results."""
    note, arrays = Answer([], batches, failures=failures), dict[str, Array]()
    for index, (outcome, samples) in enumerate(results):
        times = [(STAGES.index(each.stage), each.started, each.ended) for each in samples]
        if isinstance(outcome, ServiceError):
            note.images.append(ImageAnswer((0, 0), times, (type(outcome).__name__, str(outcome))))
            continue
        note.images.append(ImageAnswer((outcome.width, outcome.height), times))
        note.labels = outcome.scores.shape[1]
        arrays[f"{index}/faces"] = _rows(outcome)
        if outcome.image is not None:
            arrays[f"{index}/image"] = outcome.image
    return note, arrays


def results(note: Answer, message: Message, options: Sequence[Options]) -> list[Result]:
    """Invert `answer`; the arrays are copies."""
    return [
        Result(
            _error(each.error)
            if each.error is not None
            else _analysis(each.size, note.labels, message.arrays, index, options[index]),
            [Sample(STAGES[stage], *span) for stage, *span in each.samples],
        )
        for index, each in enumerate(note.images)
    ]


def _rows(outcome: Analysis) -> Array:
    faces = outcome.faces
    columns = [
        faces.boxes,
        faces.landmarks.reshape(-1, POINTS - BOX),
        faces.scores[:, None],
        outcome.scores,
    ]
    if outcome.embeddings is not None and len(faces.boxes):
        columns.append(outcome.embeddings)
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _analysis(
    size: tuple[int, int], labels: int, arrays: Mapping[str, Array], index: int, options: Options
) -> Analysis:
    rows, image = arrays[f"{index}/faces"].copy(), arrays.get(f"{index}/image")
    faces = Detections(rows[:, :BOX], rows[:, BOX:POINTS].reshape(-1, 5, 2), rows[:, POINTS])
    return Analysis(
        *size,
        faces,
        rows[:, SCORE : SCORE + labels],
        rows[:, SCORE + labels :] if options.embeddings else None,
        None if image is None else image.copy(),
    )


def _error(error: tuple[str, str]) -> ServiceError:
    kind, text = error
    found = getattr(errors, kind, ServiceError)
    made: ServiceError = found(text)
    return made
