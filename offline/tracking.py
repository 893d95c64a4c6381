"""Faces of one frame after the other, linked to tracks, and tracks to people."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.document import Face
from engines.geometry import box_iou
from engines.types import F64

LEAST_IOU = 0.25
# In one place, but so unlike that the film must have cut to somebody else.
OTHER_PERSON = 0.1
LOST_AFTER_S = 1.0
SMOOTH_S = 0.4
BIN_S = 0.25


class Track:
    """One face over a time: where it was last, how it looked, smoothed scores."""

    def __init__(self, number: int, face: Face, time: float, labels: Sequence[str]) -> None:
        self.number = number
        self._labels = labels
        self.start = self.end = time
        self.box = np.asarray(face.box, np.float64)
        self._speed = np.zeros(4)
        self.scores = self._read(face)
        self._embeddings = np.zeros(len(face.embedding or ()))
        self.bins: dict[int, tuple[F64, int]] = {}
        self._note(face)

    @property
    def embedding(self) -> F64:
        """The mean of its embeddings, L2-normalised; empty where there are none."""
        norm = float(np.linalg.norm(self._embeddings))
        return self._embeddings / norm if norm else self._embeddings

    def expected(self, time: float) -> F64:
        """The box at `time`, if the face goes on as it went."""
        return np.asarray(self.box + self._speed * min(time - self.end, SMOOTH_S))

    def add(self, face: Face, time: float) -> None:
        """Go on with a face of a later frame."""
        passed = max(time - self.end, 1e-3)
        weight = 1 - np.exp(-passed / SMOOTH_S)
        box = np.asarray(face.box, np.float64)
        self._speed += weight * ((box - self.box) / passed - self._speed)
        self.scores = self.scores + weight * (self._read(face) - self.scores)
        self.box, self.end = box, time
        self._note(face)

    def smoothed(self, face: Face) -> Face:
        """The face with the track's scores for its own."""
        scores = {
            label: round(float(score), 6)
            for label, score in zip(self._labels, self.scores, strict=True)
        }
        best = max(scores, key=scores.__getitem__)
        return face.model_copy(update={"scores": scores, "emotion": best})

    def _read(self, face: Face) -> F64:
        return np.array([face.scores[label] for label in self._labels])

    def _note(self, face: Face) -> None:
        if face.embedding is not None:
            self._embeddings = self._embeddings + np.asarray(face.embedding)
        total, number = self.bins.get(int(self.end / BIN_S), (np.zeros(len(self._labels)), 0))
        self.bins[int(self.end / BIN_S)] = total + self.scores, number + 1


class Tracker:
    """Links faces greedily, the most alike first: overlap of boxes plus cosine of embeddings.

    Apart from where it is, a face goes on with a track from the cosine `same_person` up.
    """

    def __init__(self, labels: Sequence[str], same_person: float) -> None:
        self._labels, self._same_person = labels, same_person
        self.tracks: list[Track] = []
        self._open: list[Track] = []

    def update(self, faces: Sequence[Face], time: float) -> list[Track]:
        """Give each face of a frame its track, an open one or a new one."""
        self._open = [track for track in self._open if time - track.end <= LOST_AFTER_S]
        found: dict[int, Track] = {}
        free = list(self._open)
        for _, i, track in sorted(self._likely(faces, time), key=lambda link: -link[0]):
            if i not in found and track in free:
                free.remove(track)
                track.add(faces[i], time)
                found[i] = track
        return [found.get(i) or self._begin(face, time) for i, face in enumerate(faces)]

    def _begin(self, face: Face, time: float) -> Track:
        track = Track(len(self.tracks) + 1, face, time, self._labels)
        self.tracks.append(track)
        self._open.append(track)
        return track

    def _likely(self, faces: Sequence[Face], time: float) -> Iterable[tuple[float, int, Track]]:
        for track in self._open:
            boxes = np.array([face.box for face in faces]).reshape(-1, 4)
            overlaps = box_iou(track.expected(time), boxes)
            for i, face in enumerate(faces):
                alike = _cosine(track, face)
                near = overlaps[i] >= LEAST_IOU and (alike is None or alike >= OTHER_PERSON)
                if near or (alike is not None and alike >= self._same_person):
                    yield float(overlaps[i]) + (alike or 0.0), i, track


def _cosine(track: Track, face: Face) -> float | None:
    if face.embedding is None or not len(track.embedding):
        return None
    return float(track.embedding @ np.asarray(face.embedding))


class Person:
    """Tracks of one identity."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tracks: list[Track] = []

    @property
    def seconds(self) -> float:
        """Time in the picture."""
        return sum(track.end - track.start for track in self.tracks)

    @property
    def bins(self) -> dict[int, F64]:
        """Mean scores for each `BIN_S` seconds in which the person is seen."""
        merged: dict[int, tuple[F64, int]] = {}
        for track in self.tracks:
            for key, (total, number) in track.bins.items():
                sums, count = merged.get(key, (np.zeros_like(total), 0))
                merged[key] = sums + total, count + number
        return {key: sums / count for key, (sums, count) in sorted(merged.items())}


def people(tracks: Iterable[Track], same_person: float) -> list[Person]:
    """Group tracks whose embeddings' cosine is `same_person` and more, in the order of time.

    Tracks without embeddings stand alone, and nobody is in one frame twice.
    """
    seen = list(tracks)
    alike, owners = _Likeness(seen), np.zeros(len(seen), np.int64)
    found: list[Person] = []
    for index, track in enumerate(seen):
        owner = alike.owner(index, owners[:index], same_person)
        if owner is None:
            owner = len(found)
            found.append(Person(owner + 1))
        owners[index] = owner
        found[owner].tracks.append(track)
    return found


class _Likeness:
    """All tracks' embeddings and times as arrays: a long film has thousands of tracks."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        rows = [track.embedding for track in tracks]
        self._embeddings = np.zeros((len(rows), max(map(len, rows), default=0)), np.float32)
        for mine, row in zip(self._embeddings, rows, strict=True):
            mine[: len(row)] = row
        self._starts = np.array([track.start for track in tracks])
        self._ends = np.array([track.end for track in tracks])

    def owner(self, index: int, owners: NDArray[np.int64], least: float) -> int | None:
        """Whose the track `index` is, of the `owners` of those before it; None of nobody yet."""
        starts, ends = self._starts, self._ends
        beside = (starts[:index] <= ends[index]) & (starts[index] <= ends[:index])
        cosines = self._embeddings[:index] @ self._embeddings[index]
        cosines[np.isin(owners, owners[beside])] = -1.0
        best = int(cosines.argmax()) if index else -1
        return int(owners[best]) if index and cosines[best] >= least else None
