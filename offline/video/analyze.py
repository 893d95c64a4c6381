"""The frames of a video through an analyzer, in order."""

import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

from analysis.document import ImageResult
from engines.types import U8
from offline.analyzers.types import CONCURRENCY
from offline.concurrency import OrderedTasks, in_thread
from offline.video.damage import Damage
from offline.video.output import VideoOutput
from offline.video.people import Person
from offline.video.reading import Frame
from offline.video.tables import Columns

DEFAULT = Columns()


class FrameAnalyzer(Protocol):
    """The part of an `Analyzer` that a video needs."""

    labels: tuple[str, ...]
    same_person: float

    async def analyze_frame(self, name: str, image: U8) -> ImageResult | None:
        """Analyze a frame; return None to leave it out."""


async def analyze_video(
    analyzer: FrameAnalyzer,
    name: str,
    frames: Iterator[Frame],
    out: Path,
    report: Callable[[ImageResult], None],
    *,
    columns: Columns = DEFAULT,
    limit: int = CONCURRENCY,
    damage: Damage | None = None,
) -> list[Person]:
    """Write `video.mp4`, `faces.csv`, `frames.csv`, `timeline.png` and `report.html` into `out`.

    The folder appears when it is complete. Up to `limit` frames are analyzed at once. `damage` is
    that of the frames; the report shows it.

    Raises:
        CorruptVideoError: no frame can be decoded.
        RemoteError, ServiceError: see `Analyzer.analyze_frame`.
    """
    part = out.with_name(f".part-{out.name}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with VideoOutput(part, name, analyzer.labels, analyzer.same_person, columns) as output:

            async def deliver(frame: Frame, result: ImageResult) -> None:
                await in_thread(output.add, frame, result)
                report(result)

            await analyze_frames(analyzer, f"{name}:", frames, deliver, limit)
        people = await in_thread(output.finish, damage or Damage())
        shutil.rmtree(out, ignore_errors=True)
        part.rename(out)
        return people
    finally:
        shutil.rmtree(part, ignore_errors=True)


async def analyze_frames(
    analyzer: FrameAnalyzer,
    prefix: str,
    frames: Iterator[Frame],
    deliver: Callable[[Frame, ImageResult], Awaitable[None]],
    limit: int,
) -> None:
    """Analyze up to `limit` frames at once; deliver each with its result, in order.

    The name of a frame is `prefix` and its number.
    """

    async def analyze(frame: Frame) -> tuple[Frame, ImageResult | None]:
        return frame, await analyzer.analyze_frame(f"{prefix}{frame.number}", frame.image)

    async def pass_on(analyzed: tuple[Frame, ImageResult | None]) -> None:
        frame, result = analyzed
        if result:
            await deliver(frame, result)

    async with OrderedTasks(limit, pass_on) as tasks:
        while frame := await in_thread(next, frames, None):
            await tasks.add(analyze(frame))
