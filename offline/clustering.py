"""Who is who in a folder of photographs: faces grouped to people by their embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# What is kept of a face for going on later; the cosine moves by less than 1e-3.
KEPT = np.dtype("<f2")
HEAD = np.dtype("<u4")
FILE = "embeddings.f16"


class Identities:
    """People in the order they are first seen, numbered from 1.

    A face belongs to the person whose mean embedding it is most like, or begins a new one where
    that cosine is below `same_person`: leader clustering, which sees each face once and keeps a
    vector a person, not a face.
    """

    def __init__(self, same_person: float) -> None:
        self._same_person = same_person
        self._sums = np.zeros((0, 0))
        self._lengths = np.zeros(0)
        self._people = 0

    def number(self, embedding: Sequence[float] | NDArray[np.floating]) -> int:
        """The person of a face, by its L2-normalised embedding (D,)."""
        vector = np.asarray(embedding, KEPT).astype(np.float64)
        best = self._most_like(vector)
        if best is None:
            best = self._people
            self._people += 1
            self._make_room(len(vector))
        self._add(best, vector)
        return best + 1

    def put_back(self, embedding: NDArray[np.floating], number: int) -> None:
        """Go on after a run that gave this face this number."""
        self._people = max(self._people, number)
        self._make_room(len(embedding))
        self._add(number - 1, np.asarray(embedding, np.float64))

    def _add(self, person: int, vector: NDArray[np.float64]) -> None:
        self._sums[person] += vector
        self._lengths[person] = max(float(np.linalg.norm(self._sums[person])), 1e-9)

    def _most_like(self, vector: NDArray[np.float64]) -> int | None:
        if not self._people:
            return None
        cosines = self._sums[: self._people] @ vector / self._lengths[: self._people]
        best = int(cosines.argmax())
        return best if cosines[best] >= self._same_person else None

    def _make_room(self, width: int) -> None:
        if self._people > len(self._sums):
            grown = np.zeros((2 * self._people, width))
            grown[: len(self._sums), : self._sums.shape[1]] = self._sums
            self._sums = grown
            # One whom no embedding was put back for has none that is like another.
            lengths = np.ones(len(grown))
            lengths[: len(self._lengths)] = self._lengths
            self._lengths = lengths


class Kept:
    """The embeddings beside `faces.csv`, a record a row, from which a later run goes on.

    `embeddings.f16` is their length as a 32-bit integer, then records of 16-bit floats, all
    little-endian.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], same_person: float) -> None:
        """Open the file for the rows that the table kept, whose people are `numbers`.

        Raises:
            ValueError: it holds fewer embeddings than the table rows.
        """
        self._people = Identities(same_person)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.touch()
        self._file = path.open("r+b")
        kept = self._read(len(numbers)) if numbers else np.zeros((0, 0), KEPT)
        if len(kept) < len(numbers):
            self.close()
            raise ValueError(f"{path} does not fit the table beside it")
        for vector, number in zip(kept, numbers, strict=True):
            self._people.put_back(vector, number)
        self._file.truncate(self._file.seek(HEAD.itemsize + kept.nbytes if numbers else 0))

    def _read(self, rows: int) -> NDArray[np.float16]:
        head = np.frombuffer(self._file.read(HEAD.itemsize), HEAD)
        width = int(head[0]) if len(head) else 0
        values = np.frombuffer(self._file.read(rows * width * KEPT.itemsize), KEPT)
        whole = len(values) // width if width else 0
        return values[: whole * width].reshape(whole, width)

    def add(self, embedding: Sequence[float]) -> int:
        """Keep a face's embedding and give its person's number."""
        if not self._file.tell():
            self._file.write(np.array([len(embedding)], HEAD).tobytes())
        self._file.write(np.asarray(embedding, KEPT).tobytes())
        self._file.flush()
        return self._people.number(embedding)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
