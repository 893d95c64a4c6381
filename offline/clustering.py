"""Leader clustering: faces grouped into people by their embeddings, each face seen once."""

from collections.abc import Sequence

import numpy as np

from engines.types import F64, Array

# Embeddings are rounded to the type that `ResumableClustering` stores, so that a resumed run
# assigns the same numbers as an uninterrupted one. The cosine changes by less than 1e-3.
STORED = np.dtype("<f2")


class LeaderClustering:
    """People, numbered from 1 in the order in which they first appear.

    A face belongs to the person with the most similar mean embedding. If that cosine is below
    `same_person`, the face starts a new person. Memory is one vector per person, not per face.
    """

    def __init__(self, same_person: float) -> None:
        self._same_person = same_person
        self._sums = np.zeros((0, 0))
        self._norms = np.zeros(0)
        self._people = 0

    def assign(self, embedding: Sequence[float] | Array) -> int:
        """Add a face by its L2-normalised embedding (D,); return the number of its person."""
        vector = np.asarray(embedding, STORED).astype(np.float64)
        person = self._most_similar(vector)
        if person is None:
            person = self._people
        self._add(person, vector)
        return person + 1

    def restore(self, embedding: Array, number: int) -> None:
        """Add a face that an earlier run has assigned to person `number`."""
        self._add(number - 1, np.asarray(embedding, np.float64))

    def _most_similar(self, vector: F64) -> int | None:
        if not self._people:
            return None
        cosines = self._sums[: self._people] @ vector / self._norms[: self._people]
        best = int(cosines.argmax())
        return best if cosines[best] >= self._same_person else None

    def _add(self, person: int, vector: F64) -> None:
        self._people = max(self._people, person + 1)
        if self._people > len(self._sums):
            self._grow(2 * self._people, len(vector))
        self._sums[person] += vector
        self._norms[person] = max(float(np.linalg.norm(self._sums[person])), 1e-9)

    def _grow(self, rows: int, width: int) -> None:
        """Make room for more people. One without a face yet has the norm 1 and no direction."""
        sums, norms = np.zeros((rows, width)), np.ones(rows)
        sums[: len(self._sums), : self._sums.shape[1]] = self._sums
        norms[: len(self._norms)] = self._norms
        self._sums, self._norms = sums, norms
