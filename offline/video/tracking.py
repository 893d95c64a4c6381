"""Faces of consecutive frames, linked to tracks."""

from collections.abc import Iterable, Sequence

import numpy as np

from analysis.document import SCORE_DIGITS, Face
from engines.geometry import box_iou
from engines.types import F64
from offline.video.readings import Readings, reading

MIN_IOU = 0.25
# Below this cosine a face at the same position is another person, after a cut to another shot.
OTHER_PERSON = 0.1
LOST_AFTER_S = 1.0
SMOOTH_S = 0.4
BIN_S = 0.25


class Track:
    """One face over time: its last box, its mean embedding, its smoothed scores and quality.

    A face weighs as much as its quality in the smoothed scores: a clear view outweighs blurred
    ones. `bins` holds the smoothed readings per `BIN_S` seconds.
    """

    def __init__(self, number: int, face: Face, time: float, labels: Sequence[str]) -> None:
        self.number = number
        self._labels = labels
        self.start = self.end = time
        self.box = np.asarray(face.box, np.float64)
        self._speed = np.zeros(4)
        self._recent = self._reading_of(face)
        self._embeddings = np.zeros(len(face.embedding or ()))
        self.bins: dict[int, Readings] = {}
        self._accumulate(face)

    @property
    def embedding(self) -> F64:
        """The mean of the embeddings, L2-normalised; empty if there are none."""
        norm = float(np.linalg.norm(self._embeddings))
        return self._embeddings / norm if norm else self._embeddings

    def predicted_box(self, time: float) -> F64:
        """Return the box at `time`, x1 y1 x2 y2, if the face keeps its speed."""
        return np.asarray(self.box + self._speed * min(time - self.end, SMOOTH_S))

    def add(self, face: Face, time: float) -> None:
        """Extend the track by a face of a later frame."""
        passed = max(time - self.end, 1e-3)
        kept = float(np.exp(-passed / SMOOTH_S))
        box = np.asarray(face.box, np.float64)
        self._speed += (1 - kept) * ((box - self.box) / passed - self._speed)
        self._recent = self._recent.times(kept).plus(self._reading_of(face).times(1 - kept))
        self.box, self.end = box, time
        self._accumulate(face)

    def smoothed(self, face: Face) -> Face:
        """Return the face with the smoothed scores and quality of the track."""
        values = self._recent.scores.round(SCORE_DIGITS).tolist()
        scores = dict(zip(self._labels, values, strict=True))
        best = max(scores, key=scores.__getitem__)
        quality = round(self._recent.quality, SCORE_DIGITS)
        return face.model_copy(update={"scores": scores, "emotion": best, "quality": quality})

    def _reading_of(self, face: Face) -> Readings:
        return reading(np.array([face.scores[label] for label in self._labels]), face.quality)

    def _accumulate(self, face: Face) -> None:
        if face.embedding is not None:
            self._embeddings = self._embeddings + np.asarray(face.embedding)
        key = int(self.end / BIN_S)
        smoothed = reading(self._recent.scores, self._recent.quality)
        self.bins[key] = self.bins[key].plus(smoothed) if key in self.bins else smoothed


class Tracker:
    """Links faces to tracks greedily, the most similar pair first.

    The similarity is the overlap of the boxes plus the cosine of the embeddings. A face that does
    not overlap a track continues it if their cosine is at least `same_person`.
    """

    def __init__(self, labels: Sequence[str], same_person: float) -> None:
        self._labels, self._same_person = labels, same_person
        self.tracks: list[Track] = []
        self._open: list[Track] = []

    def update(self, faces: Sequence[Face], time: float) -> list[Track]:
        """Return the track of each face of a frame, an open one or a new one."""
        self._open = [track for track in self._open if time - track.end <= LOST_AFTER_S]
        linked: dict[int, Track] = {}
        free = list(self._open)
        for _, i, track in sorted(self._links(faces, time), key=lambda link: -link[0]):
            if i not in linked and track in free:
                free.remove(track)
                track.add(faces[i], time)
                linked[i] = track
        return [linked.get(i) or self._start(face, time) for i, face in enumerate(faces)]

    def _start(self, face: Face, time: float) -> Track:
        track = Track(len(self.tracks) + 1, face, time, self._labels)
        self.tracks.append(track)
        self._open.append(track)
        return track

    def _links(self, faces: Sequence[Face], time: float) -> Iterable[tuple[float, int, Track]]:
        """Yield the similarity of each face and open track that may belong together."""
        boxes = np.array([face.box for face in faces]).reshape(-1, 4)
        for track in self._open:
            overlaps = box_iou(track.predicted_box(time), boxes)
            for i, face in enumerate(faces):
                cosine = _cosine(track, face)
                near = overlaps[i] >= MIN_IOU and (cosine is None or cosine >= OTHER_PERSON)
                if near or (cosine is not None and cosine >= self._same_person):
                    yield float(overlaps[i]) + (cosine or 0.0), i, track


def _cosine(track: Track, face: Face) -> float | None:
    if face.embedding is None or not len(track.embedding):
        return None
    return float(track.embedding @ np.asarray(face.embedding))
