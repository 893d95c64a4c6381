"""Tracks of a video, grouped into people by their embeddings."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from offline.video.readings import Readings, mean
from offline.video.tracking import Track


class Person:
    """The tracks of one person."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tracks: list[Track] = []

    @property
    def seconds(self) -> float:
        """Time in the picture."""
        return sum(track.end - track.start for track in self.tracks)

    @property
    def bins(self) -> dict[int, Readings]:
        """The readings of each `BIN_S` seconds in which the person is in the picture."""
        merged: dict[int, Readings] = {}
        for track in self.tracks:
            for key, readings in track.bins.items():
                merged[key] = merged[key].plus(readings) if key in merged else readings
        return dict(sorted(merged.items()))

    @property
    def mean(self) -> Readings:
        """The mean over the time in the picture."""
        return mean(self.bins.values())


def group_tracks(tracks: Iterable[Track], same_person: float) -> list[Person]:
    """Group the tracks with a cosine of at least `same_person`, in chronological order.

    Each track without an embedding is a person of its own. Tracks that overlap in time are
    different people.
    """
    ordered = list(tracks)
    similarity, owners = _Similarity(ordered), np.zeros(len(ordered), np.int64)
    people: list[Person] = []
    for index, track in enumerate(ordered):
        owner = similarity.owner(index, owners[:index], same_person)
        if owner is None:
            owner = len(people)
            people.append(Person(owner + 1))
        owners[index] = owner
        people[owner].tracks.append(track)
    return people


class _Similarity:
    """Embeddings and times of all tracks as arrays, since a long video has thousands of tracks."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        embeddings = [track.embedding for track in tracks]
        width = max(map(len, embeddings), default=0)
        self._embeddings = np.zeros((len(embeddings), width), np.float32)
        for row, embedding in zip(self._embeddings, embeddings, strict=True):
            row[: len(embedding)] = embedding
        self._starts = np.array([track.start for track in tracks])
        self._ends = np.array([track.end for track in tracks])

    def owner(self, index: int, owners: NDArray[np.int64], same_person: float) -> int | None:
        """Return the person of track `index`, None if it is a new one.

        `owners` are the persons of the earlier tracks.
        """
        if not index:
            return None
        starts, ends = self._starts, self._ends
        overlapping = (starts[:index] <= ends[index]) & (starts[index] <= ends[:index])
        cosines = self._embeddings[:index] @ self._embeddings[index]
        cosines[np.isin(owners, owners[overlapping])] = -1.0
        best = int(cosines.argmax())
        return int(owners[best]) if cosines[best] >= same_person else None
