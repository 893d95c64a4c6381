"""A lane as a `Runner` of batches of one, so that it may be in another process."""

from collections.abc import Mapping
from typing import NamedTuple, get_args

import msgspec
import numpy as np

from engines.runner import Array, Feeds, Runner
from service import errors
from service.detection import Detections
from service.errors import ServiceError
from service.lane.lane import Lane, Networks
from service.record import Sample, Stage
from service.stages import Cut, Options, Source

STAGES: tuple[Stage, ...] = get_args(Stage)


def encode(networks: Networks) -> bytes:
    """Networks for another process; their paths made absolute."""
    there = msgspec.structs.replace(
        networks,
        detector=(networks.detector[0].absolute(), networks.detector[1]),
        emotion=(networks.emotion[0].absolute(), networks.emotion[1]),
    )
    return msgspec.msgpack.encode(there, enc_hook=str)


def decode(data: bytes) -> Networks:
    """The inverse of `encode`."""
    return msgspec.msgpack.decode(data, type=Networks, dec_hook=lambda kind, value: kind(value))


class Task(NamedTuple):
    """An image and what is asked of it."""

    source: Source
    options: Options


class Passed(NamedTuple):
    """What a lane gives: faces, or what is wrong with the image; and the time of each stage."""

    outcome: Cut | ServiceError
    samples: list[Sample]


class LaneRunner(Runner):
    """Answers `feeds` of one task each; what a client did wrong is an answer too."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Take one image; see `Runner.infer` and `passed`."""
        try:
            arrays = _arrays(self._lane.take(*_task(feeds)))
        except ServiceError as error:
            told = msgspec.json.encode((type(error).__name__, str(error)))
            arrays = {"error": np.frombuffer(told, np.uint8)}
        samples = [(STAGES.index(s.stage), s.started, s.ended) for s in self._lane.samples]
        arrays["samples"] = np.array(samples, np.float64)
        return {name: array[None] for name, array in arrays.items()}

    def __exit__(self, *error: object) -> None:
        self._lane.__exit__(*error)


def feeds(task: Task) -> dict[str, Array]:
    """A task as arrays (1, ...)."""
    source = task.source
    if isinstance(source, bytes):
        image = {"body": np.frombuffer(source, np.uint8)[None]}
    else:
        image = {"pixels": source[None]}
    return image | {"options": np.array([task.options], np.float64)}


def passed(outputs: Mapping[str, Array]) -> Passed:
    """What a lane gave for one task."""
    found = {name: array[0] for name, array in outputs.items()}
    samples = [Sample(STAGES[int(which)], *times) for which, *times in found["samples"].tolist()]
    if "error" not in found:
        return Passed(_cut(found), samples)
    kind, text = msgspec.json.decode(found["error"].tobytes(), type=tuple[str, str])
    return Passed(getattr(errors, kind)(text), samples)


def _task(feeds: Feeds) -> Task:
    score, most, embeddings, keep = feeds["options"][0].tolist()
    options = Options(score, int(most), bool(embeddings), bool(keep))
    if "pixels" in feeds:
        return Task(feeds["pixels"][0], options)
    return Task(feeds["body"][0].tobytes(), options)


def _arrays(cut: Cut) -> dict[str, Array]:
    arrays: dict[str, Array | None] = {
        "size": np.array([cut.width, cut.height]),
        "boxes": cut.faces.boxes,
        "landmarks": cut.faces.landmarks,
        "confidence": cut.faces.scores,
        "crops": np.array(cut.crops, np.uint8),
        "aligned": None if cut.aligned is None else np.array(cut.aligned, np.uint8),
        "scores": cut.scores,
        "image": cut.image,
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _cut(found: Mapping[str, Array]) -> Cut:
    """The inverse of `_arrays`."""
    width, height = found["size"].tolist()
    return Cut(
        width,
        height,
        Detections(found["boxes"], found["landmarks"], found["confidence"]),
        list(found["crops"]),
        list(found["aligned"]) if "aligned" in found else None,
        found.get("scores"),
        found.get("image"),
    )
