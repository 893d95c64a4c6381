"""Numbers of people for the rows of `faces.csv`, and the file from which a later run continues."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.types import Array
from offline.clustering import STORED, LeaderClustering

WIDTH = np.dtype("<u4")
FILE = "embeddings.f16"


class ResumableClustering:
    """A `LeaderClustering` whose embeddings lie in `embeddings.f16`, one record per row.

    The file is the length of an embedding as a 32-bit integer, then records of 16-bit floats, all
    little-endian.
    """

    def __init__(self, folder: Path, numbers: Sequence[int], same_person: float) -> None:
        """Open the file and restore the people; `numbers` are those of the rows in the table.

        Raises:
            ValueError: the file holds fewer embeddings than the table has rows.
        """
        self._clustering = LeaderClustering(same_person)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.touch()
        self._file = path.open("r+b")
        stored = self._read(len(numbers)) if numbers else np.zeros((0, 0), STORED)
        if len(stored) < len(numbers):
            self.close()
            raise ValueError(f"{path} holds {len(stored)} embeddings for {len(numbers)} rows")
        for vector, number in zip(stored, numbers, strict=True):
            self._clustering.restore(vector, number)
        self._file.truncate(self._file.seek(WIDTH.itemsize + stored.nbytes if numbers else 0))

    def add(self, embedding: Sequence[float]) -> int:
        """Store the embedding of a face and return the number of its person."""
        if not self._file.tell():
            self._file.write(np.array([len(embedding)], WIDTH).tobytes())
        self._file.write(np.asarray(embedding, STORED).tobytes())
        self._file.flush()
        return self._clustering.assign(embedding)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, rows: int) -> Array:
        """Read up to `rows` complete records: (N, D) float16."""
        header = np.frombuffer(self._file.read(WIDTH.itemsize), WIDTH)
        width = int(header[0]) if len(header) else 0
        values = np.frombuffer(self._file.read(rows * width * STORED.itemsize), STORED)
        complete = len(values) // width if width else 0
        return values[: complete * width].reshape(complete, width)
