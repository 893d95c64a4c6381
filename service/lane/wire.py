"""A lane as a `Runner` of tasks, so that it may be in another process."""

from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec
import numpy as np

from engines.runner import Array, Feeds, Runner
from service import errors
from service.detection import Detections
from service.errors import ServiceError
from service.lane.lane import Lane, Networks, Passed, Task
from service.record import Sample, Stage
from service.stages import Cut, Options

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


class LaneRunner(Runner):
    """Answers `feeds` of some tasks; what a client did wrong is an answer too."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Take the images of a message; see `Runner.infer` and `passed`."""
        return {
            f"{index}/{name}": array
            for index, each in enumerate(self._lane.take(_tasks(feeds)))
            for name, array in _told(each).items()
        }

    def __exit__(self, *error: object) -> None:
        self._lane.__exit__(*error)


def feeds(tasks: Sequence[Task]) -> dict[str, Array]:
    """Tasks as arrays: `options`, a row each, and each image by its number."""
    images = {
        str(index): np.frombuffer(source, np.uint8) if isinstance(source, bytes) else source
        for index, (source, _) in enumerate(tasks)
    }
    return {"options": np.array([task.options for task in tasks], np.float64), **images}


def passed(outputs: Mapping[str, Array]) -> list[Passed]:
    """What a lane gave for each task."""
    found: dict[int, dict[str, Array]] = {}
    for key, array in outputs.items():
        index, name = key.split("/")
        found.setdefault(int(index), {})[name] = array
    return [_passed(found[index]) for index in range(len(found))]


def _tasks(feeds: Feeds) -> list[Task]:
    tasks = []
    for index, (score, most, embeddings, keep) in enumerate(feeds["options"].tolist()):
        image = feeds[str(index)]
        source = image.tobytes() if image.ndim == 1 else image
        tasks.append(Task(source, Options(score, int(most), bool(embeddings), bool(keep))))
    return tasks


def _told(passed: Passed) -> dict[str, Array]:
    outcome = passed.outcome
    if isinstance(outcome, ServiceError):
        told = msgspec.json.encode((type(outcome).__name__, str(outcome)))
        arrays: dict[str, Array] = {"error": np.frombuffer(told, np.uint8)}
    else:
        arrays = _arrays(outcome)
    samples = [(STAGES.index(s.stage), s.started, s.ended) for s in passed.samples]
    return arrays | {"samples": np.array(samples, np.float64), "read": np.array(passed.read)}


def _passed(found: Mapping[str, Array]) -> Passed:
    """The inverse of `_told`."""
    samples = [Sample(STAGES[int(which)], *times) for which, *times in found["samples"].tolist()]
    if "error" not in found:
        return Passed(_cut(found), samples, int(found["read"]))
    kind, text = msgspec.json.decode(found["error"].tobytes(), type=tuple[str, str])
    return Passed(getattr(errors, kind)(text), samples)


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
