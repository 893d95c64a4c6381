"""The tables of a video, with the faces of consecutive frames linked to tracks and people."""

from collections.abc import Sequence
from pathlib import Path

from analysis.document import Face, ImageResult
from offline.video.people import Person, group_tracks
from offline.video.reading import Frame
from offline.video.tables import Columns, VideoTables
from offline.video.tracking import Track, Tracker


class TrackedTables:
    """Writes `faces.csv` and `frames.csv` frame by frame: `add`, then `close`, then `finish`."""

    def __init__(
        self, folder: Path, name: str, labels: Sequence[str], same_person: float, columns: Columns
    ) -> None:
        self._columns, self._same_person = columns, same_person
        self._tracker = Tracker(labels, same_person)
        self._tables = VideoTables(folder, name, labels, columns)

    def add(self, frame: Frame, result: ImageResult) -> list[tuple[Track, Face]]:
        """Write a frame and its faces.

        Return the track of each face, and the face with the smoothed scores and quality.
        """
        tracks = self._tracker.update(self._tracked(result.faces), frame.time)
        faces = [t.smoothed(face) for t, face in zip(tracks, result.faces, strict=True)]
        self._tables.add(frame, result.model_copy(update={"faces": faces}), tracks)
        return list(zip(tracks, faces, strict=True))

    def _tracked(self, faces: Sequence[Face]) -> Sequence[Face]:
        if self._columns.identities:
            return faces
        return [face.model_copy(update={"embedding": None}) for face in faces]

    def close(self) -> None:
        """Close the files."""
        self._tables.close()

    def finish(self) -> list[Person]:
        """Group the tracks into people and add their numbers to `faces.csv`."""
        people = group_tracks(self._tracker.tracks, self._same_person)
        self._tables.finish({t.number: person.number for person in people for t in person.tracks})
        return people
