"""A video to its annotated copy, tables, a timeline and a report."""

import asyncio
import csv
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import numpy as np
from PIL import Image

from analysis.document import Face, ImageResult
from engines.types import U8
from offline import report
from offline.analyzers import AHEAD
from offline.annotate import annotate
from offline.tables import BOX, LANDMARKS, face_row, image_row
from offline.tracking import Person, Track, Tracker, people
from offline.video import Frame, Writer, writing

# Who is seen for less is left out of the report: mostly no face at all.
LEAST_S = 0.5
PORTRAIT = 112
BILINEAR = Image.Resampling.BILINEAR
REPORT = "report.html"
TABLES = ("faces.csv", "frames.csv")


class Looker(Protocol):
    """What a film needs of a `Reader`."""

    labels: tuple[str, ...]
    same_person: float

    async def look(self, name: str, image: U8) -> ImageResult | None:
        """Read a frame; None leaves it out."""


class Wanted(NamedTuple):
    """What a film is made with: embeddings in the faces' table, and people told apart by theirs.

    Without `identities` no embedding is compared: faces are followed by where they are, each track
    is shown by itself, and the table has no numbers of people.
    """

    embeddings: bool = False
    identities: bool = True


DEFAULT = Wanted()


async def film(
    reader: Looker,
    name: str,
    source: Iterator[Frame],
    out: Path,
    seen: Callable[[ImageResult], None],
    *,
    wanted: Wanted = DEFAULT,
    ahead: int = AHEAD,
) -> list[Person]:
    """Write `video.mp4`, `faces.csv`, `frames.csv`, `timeline.png` and `report.html` into `out`.

    The folder appears when all of it is there.

    Raises:
        CorruptVideoError: the source holds no video, or one that breaks off.
    """
    staged = out.with_name(f".staged-{out.name}")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        with _Film(staged, name, reader.labels, reader.same_person, wanted) as work:

            async def add(frame: Frame, result: ImageResult) -> None:
                await asyncio.to_thread(work.add, frame, result)
                seen(result)

            await each(reader, f"{name}:", source, add, ahead)
        found = await asyncio.to_thread(work.conclude)
        shutil.rmtree(out, ignore_errors=True)
        staged.rename(out)
        return found
    finally:
        shutil.rmtree(staged, ignore_errors=True)


async def each(
    reader: Looker,
    name: str,
    source: Iterator[Frame],
    done: Callable[[Frame, ImageResult], Awaitable[None]],
    ahead: int,
) -> None:
    """Read a source's frames, `ahead` at once; each is `done` with its result, in order."""
    under_way: deque[tuple[Frame, asyncio.Task[ImageResult | None]]] = deque()

    async def finish() -> None:
        frame, task = under_way.popleft()
        if result := await task:
            await done(frame, result)

    try:
        while frame := await asyncio.to_thread(next, source, None):
            read = reader.look(f"{name}{frame.number}", frame.image)
            under_way.append((frame, asyncio.create_task(read)))
            if len(under_way) >= ahead:
                await finish()
        while under_way:
            await finish()
    finally:  # one failed: of the others nobody asks any more
        left = [task for _, task in under_way]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _Film:
    """The output of a video, frame by frame."""

    def __init__(
        self, folder: Path, name: str, labels: Sequence[str], same_person: float, wanted: Wanted
    ) -> None:
        self._folder, self._name, self._labels, self._wanted = folder, name, labels, wanted
        self._same_person = same_person
        self._tracker = Tracker(labels, same_person)
        self._portraits: dict[int, tuple[float, bytes]] = {}
        self._end = 0.0
        self._count = 0
        self._open = ExitStack()

    def __enter__(self) -> "_Film":
        self._video: Writer = self._open.enter_context(writing(self._folder / "video.mp4"))
        head = ("file", "frame", "time")
        middle = ("face", *BOX, "score", *LANDMARKS, *self._labels, "emotion")
        last = ("embedding",) if self._wanted.embeddings else ()
        self._faces = self._table("faces.part", (*head, "track", *middle, *last))
        self._frames = self._table("frames.csv", (*head, "faces", *self._labels, "emotion"))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def _table(self, name: str, columns: Sequence[str]) -> "csv.DictWriter[str]":
        file = self._open.enter_context(_new(self._folder / name))
        table = csv.DictWriter(file, columns, "", "ignore", lineterminator="\n")
        table.writeheader()
        return table

    def add(self, frame: Frame, result: ImageResult) -> None:
        """Go on with a frame and its faces."""
        tracks = self._tracker.update(self._followed(result.faces), frame.time)
        faces = [t.smoothed(face) for t, face in zip(tracks, result.faces, strict=True)]
        self._video.write(np.asarray(annotate(frame.image, faces)), frame.time)
        where = {"file": self._name, "frame": frame.number, "time": round(frame.time, 3)}
        for i, (track, face) in enumerate(zip(tracks, faces, strict=True)):
            row = face_row(self._name, i, face, embedding=self._wanted.embeddings)
            self._faces.writerow(row | where | {"track": track.number})
            self._portray(track, face, frame.image)
        smoothed = result.model_copy(update={"faces": faces})
        self._frames.writerow(image_row(smoothed, self._labels) | where)
        self._end = frame.time
        self._count += 1

    def _followed(self, faces: Sequence[Face]) -> Sequence[Face]:
        if self._wanted.identities:
            return faces
        return [face.model_copy(update={"embedding": None}) for face in faces]

    def _portray(self, track: Track, face: Face, image: U8) -> None:
        """Keep a picture of the track's largest face; it is looked at again when it has grown."""
        x1, y1, x2, y2 = face.box
        area = (x2 - x1) * (y2 - y1)
        if area > 1.2 * self._portraits.get(track.number, (0.0, b""))[0]:
            side = 0.6 * max(x2 - x1, y2 - y1)
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            box = (x - side, y - side, x + side, y + side)
            size = (PORTRAIT, PORTRAIT)
            portrait = Image.fromarray(image).transform(size, Image.Transform.EXTENT, box, BILINEAR)
            self._portraits[track.number] = area, report.jpeg(portrait)

    def conclude(self) -> list[Person]:
        """Tell people apart, put them into the faces' table, and write the report."""
        everybody = people(self._tracker.tracks, self._same_person)
        if self._wanted.identities:
            self._identify({t.number: p.number for p in everybody for t in p.tracks})
        else:
            (self._folder / "faces.part").rename(self._folder / "faces.csv")
        found = [person for person in everybody if person.seconds >= LEAST_S]
        known = self._wanted.identities
        noun = report.PERSON if known else report.TRACK
        timeline = report.timeline(found, self._labels, self._end, noun=noun)
        timeline.save(self._folder / "timeline.png")
        shown = [report.Shown(person, self._portrait(person)) for person in found]
        who = "people" if known else "tracks, not told apart by person"
        line = f"{self._count} frames, {self._end:.1f} s, {len(found)} {who}"
        report.write(self._folder / REPORT, self._name, shown, self._labels, line, noun=noun)
        return found

    def _portrait(self, person: Person) -> bytes:
        area_and_portrait = (self._portraits[track.number] for track in person.tracks)
        return max(area_and_portrait, key=lambda pair: pair[0])[1]

    def _identify(self, identities: dict[int, int]) -> None:
        part = self._folder / "faces.part"
        with (
            part.open(newline="", encoding="utf-8") as source,
            _new(part.with_suffix(".csv")) as to,
        ):
            rows = csv.DictReader(source)
            table = csv.DictWriter(to, [*(rows.fieldnames or []), "identity"], lineterminator="\n")
            table.writeheader()
            for row in rows:
                table.writerow(row | {"identity": identities[int(row["track"])]})
        part.unlink()


def _new(path: Path) -> IO[Any]:
    return path.open("w", newline="", encoding="utf-8")
