"""The tables of a video, without its annotated copy and its report."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from analysis.document import ImageResult
from offline.analyzers.types import CONCURRENCY, Analyzer
from offline.concurrency import in_thread
from offline.video.analyze import analyze_frames
from offline.video.reading import Frame
from offline.video.tables import Columns
from offline.video.tracked import TrackedTables


async def write_tables(
    analyzer: Analyzer, name: str, frames: Iterator[Frame], out: Path, columns: Columns
) -> int:
    """Write `faces.csv` and `frames.csv` of a video into `out`; return the number of faces.

    Raises:
        CorruptVideoError: no frame can be decoded.
        ServiceError: see `Analyzer.analyze_frame`.
    """
    faces = 0
    tables = TrackedTables(out, name, analyzer.labels, analyzer.same_person, columns)

    async def deliver(frame: Frame, result: ImageResult) -> None:
        nonlocal faces
        faces += len(await in_thread(tables.add, frame, result))

    with closing(tables):
        await analyze_frames(analyzer, f"{name}:", frames, deliver, CONCURRENCY)
    await in_thread(tables.finish)
    return faces
