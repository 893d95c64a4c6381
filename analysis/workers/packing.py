"""Converts inputs and results to the note and the arrays of a message, and back."""

from collections.abc import Sequence
from typing import get_args

import numpy as np

from analysis import errors
from analysis.errors import ServiceError
from analysis.timing import Batch, Sample, Stage
from analysis.types import Analysis, Detections, Input, Options, Result, Source
from analysis.workers.messages import Answer, Arrays, ImageAnswer, Images
from engines.types import Array

STAGES: tuple[Stage, ...] = get_args(Stage)
# Columns of the row of a face: the ends of box, landmarks, score and quality. One column per label
# follows, then the embedding.
BOX, LANDMARKS, SCORE, QUALITY = 4, 14, 15, 16


def pack_inputs(inputs: Sequence[Input]) -> tuple[Images, dict[str, Array]]:
    """Return the note and the arrays of some inputs."""
    arrays = {str(index): _array(each.source) for index, each in enumerate(inputs)}
    trusted = all(each.trusted for each in inputs)
    return Images([each.options for each in inputs], trusted), arrays


def unpack_inputs(note: Images, arrays: Arrays) -> list[Input]:
    """Invert `pack_inputs`; pixels stay in the sender's memory."""
    sources = [arrays[str(index)] for index in range(len(note.options))]
    return [
        Input(source.tobytes() if source.ndim == 1 else source, options, note.trusted)
        for source, options in zip(sources, note.options, strict=True)
    ]


def pack_results(
    results: Sequence[Result], batches: list[Batch], failures: int
) -> tuple[Answer, dict[str, Array]]:
    """Return the note and the arrays of some results."""
    note, arrays = Answer([], batches, failures=failures), dict[str, Array]()
    for index, (outcome, samples) in enumerate(results):
        times = [(STAGES.index(each.stage), each.started, each.ended) for each in samples]
        if isinstance(outcome, ServiceError):
            note.images.append(ImageAnswer((0, 0), times, (type(outcome).__name__, str(outcome))))
            continue
        size = outcome.width, outcome.height
        note.images.append(ImageAnswer(size, times, turned=outcome.turned))
        note.labels = outcome.scores.shape[1]
        arrays[f"{index}/faces"] = _rows(outcome)
        if outcome.image is not None:
            arrays[f"{index}/image"] = outcome.image
    return note, arrays


def unpack_results(note: Answer, arrays: Arrays, options: Sequence[Options]) -> list[Result]:
    """Invert `pack_results`; the arrays are copied. `options` are those of the images."""
    return [
        Result(
            _error(*image.error)
            if image.error is not None
            else _analysis(image, note.labels, arrays, index, options[index]),
            [Sample(STAGES[stage], *span) for stage, *span in image.samples],
        )
        for index, image in enumerate(note.images)
    ]


def _array(source: Source) -> Array:
    return np.frombuffer(source, np.uint8) if isinstance(source, bytes) else source


def _rows(outcome: Analysis) -> Array:
    """Return one row per face, float32."""
    faces = outcome.faces
    columns = [
        faces.boxes,
        faces.landmarks.reshape(-1, LANDMARKS - BOX),
        faces.scores[:, None],
        outcome.qualities[:, None],
        outcome.scores,
    ]
    if outcome.embeddings is not None and len(faces.boxes):
        columns.append(outcome.embeddings)
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _analysis(
    answer: ImageAnswer, labels: int, arrays: Arrays, index: int, options: Options
) -> Analysis:
    rows, image = arrays[f"{index}/faces"].copy(), arrays.get(f"{index}/image")
    landmarks = rows[:, BOX:LANDMARKS].reshape(-1, 5, 2)
    return Analysis(
        *answer.size,
        Detections(rows[:, :BOX], landmarks, rows[:, LANDMARKS]),
        rows[:, QUALITY : QUALITY + labels],
        rows[:, SCORE],
        rows[:, QUALITY + labels :] if options.embeddings else None,
        None if image is None else image.copy(),
        answer.turned,
    )


def _error(kind: str, text: str) -> ServiceError:
    made: ServiceError = getattr(errors, kind, ServiceError)(text)
    return made
