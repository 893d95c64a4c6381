"""The folder of a video: annotated copy, tables, timeline and report."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from analysis.document import ImageResult
from offline.drawing.annotate import annotate
from offline.video.damage import Damage
from offline.video.people import Person
from offline.video.portraits import Portraits
from offline.video.reading import Frame
from offline.video.report import Card, write_report
from offline.video.tables import Columns
from offline.video.timeline import draw_timeline
from offline.video.tracked import TrackedTables
from offline.video.writing import MAX_SIDE, open_video

# People who are in the picture for less time are not in the report: most are false detections.
MIN_SECONDS = 0.5
REPORT = "report.html"
# The defects of a video that lacks a part, a line each. Other videos have no such file.
INCOMPLETE = "incomplete.txt"


def exists(folder: Path) -> bool:
    """Whether the folder of a video is there; it appears only when it is complete."""
    return (folder / REPORT).exists()


def missing_parts(folder: Path) -> str:
    """Return the defects of the video of a folder; empty if it lacks no part."""
    try:
        return "; ".join((folder / INCOMPLETE).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ""


class VideoOutput:
    """Writes a video frame by frame: a context manager, then `finish`."""

    def __init__(
        self, folder: Path, name: str, labels: Sequence[str], same_person: float, columns: Columns
    ) -> None:
        self._folder, self._name, self._labels = folder, name, labels
        self._same_person, self._columns = same_person, columns
        self._portraits = Portraits()
        self._seconds, self._frames = 0.0, 0
        self._open = ExitStack()

    def __enter__(self) -> "VideoOutput":
        self._video = self._open.enter_context(open_video(self._folder / "video.mp4"))
        self._tables = TrackedTables(
            self._folder, self._name, self._labels, self._same_person, self._columns
        )
        self._open.callback(self._tables.close)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def add(self, frame: Frame, result: ImageResult) -> None:
        """Write a frame and its faces, with the smoothed scores and quality of their tracks."""
        tracked = self._tables.add(frame, result)
        picture = annotate(frame.image, [face for _, face in tracked])
        picture.thumbnail((MAX_SIDE, MAX_SIDE))  # others stay as they are
        self._video.write(np.asarray(picture), frame.time)
        for (track, _), face in zip(tracked, result.faces, strict=True):
            self._portraits.add(track, face, frame.image)
        self._seconds = frame.time
        self._frames += 1

    def finish(self, damage: Damage) -> list[Person]:
        """Group the tracks into people, write `faces.csv`, timeline and report; after the block.

        The report shows `damage`. Returns the people of the report.
        """
        people = self._tables.finish()
        shown = [person for person in people if person.seconds >= MIN_SECONDS]
        identities = self._columns.identities
        noun = "Person" if identities else "Track"
        timeline = draw_timeline(shown, self._labels, self._seconds, noun=noun)
        timeline.save(self._folder / "timeline.png")
        cards = [Card(person, self._portraits.of(person)) for person in shown]
        counted = "people" if identities else "tracks, not grouped by person"
        summary = f"{self._frames} frames, {self._seconds:.1f} s, {len(shown)} {counted}"
        report = self._folder / REPORT
        lines = damage.lines()
        write_report(report, self._name, cards, self._labels, summary, noun=noun, defects=lines)
        if damage.incomplete:
            (self._folder / INCOMPLETE).write_text("\n".join(lines), encoding="utf-8")
        return shown
