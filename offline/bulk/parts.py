"""The analysis of one part: its images at once, then its videos, then its results."""

import tempfile
from collections.abc import Container
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from analysis.document import ImageResult
from analysis.errors import ServiceError
from engines.types import U8
from offline.analyzers.types import Analyzer
from offline.bulk.results import write_images, write_video
from offline.bulk.sources import Source
from offline.bulk.storage import Storage
from offline.bulk.types import Part, PartReport
from offline.bulk.videos import write_tables
from offline.concurrency import in_thread
from offline.errors import (
    CorruptVideoError,
    NoVideoError,
    StorageError,
    ends_run,
)
from offline.files import FoundFile
from offline.images import UNREADABLE, analyze_images, failed_result
from offline.progress import ResultCounter
from offline.tables.folder import FolderTables
from offline.video.damage import Damage
from offline.video.reading import read_frames
from offline.video.tables import Columns

# Error codes of videos; images have those of `offline.images`.
CORRUPT, INCOMPLETE = "corrupt_video", "incomplete_video"


class PartAnalyzer(NamedTuple):
    """Analyzes parts, one or several at a time.

    `images` analyzes images, and `frames` the frames of videos, which may need embeddings to number
    the people.
    """

    images: Analyzer
    frames: Analyzer
    source: Source
    target: Storage
    columns: Columns
    fps: float | None

    async def analyze(self, part: Part) -> PartReport:
        """Analyze a part and write its results.

        A problem that is not the fault of a file is in the report; the part is then not written.
        """
        counter = ResultCounter(Console(quiet=True))
        try:
            with tempfile.TemporaryDirectory() as folder:
                await self._analyze(part, Path(folder), counter)
        except StorageError as error:
            return PartReport(part.number, len(part.files), problem=str(error))
        return PartReport(
            part.number,
            len(part.files),
            counter.images,
            counter.videos,
            counter.faces,
            counter.failed,
            dict(counter.left_out),
        )

    async def _analyze(self, part: Part, folder: Path, counter: ResultCounter) -> None:
        tables = FolderTables(
            folder, self.images.labels, resume=False, embeddings=self.columns.embeddings
        )
        with closing(tables):
            files, rows = part.files, _Rows(tables)
            videos = await analyze_images(self.images, files, rows, counter, self.source.read)
            for number, video in enumerate(videos):
                error = await self._analyze_video(part, number, video, counter)
                if error is not None:
                    tables.add(error)
        await in_thread(write_images, self.target, part, folder)

    async def _analyze_video(
        self, part: Part, number: int, video: FoundFile, counter: ResultCounter
    ) -> ImageResult | None:
        """Write the tables of a video and count it; return its error, if it has one."""
        try:
            missing = await self._write_video(part, number, video, counter)
        except NoVideoError:
            counter.leave_out("without video")
            return None
        except OSError as error:
            if ends_run(error):
                raise
            code, missing = UNREADABLE, f"cannot read the file: {error.strerror}"
        except (CorruptVideoError, ServiceError) as error:
            code, missing = CORRUPT, str(error)
        else:
            code = INCOMPLETE
        if not missing:
            counter.videos += 1
            return None
        counter.fail_video(video.name, missing)
        return failed_result(video, code, missing)

    async def _write_video(
        self, part: Part, number: int, video: FoundFile, counter: ResultCounter
    ) -> str:
        """Write the tables of a video; return what it lacks, in one line."""
        damage = Damage()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            path = await in_thread(stack.enter_context, self.source.on_disk(video))
            frames = read_frames(path, self.fps, damage=damage)
            counter.faces += await write_tables(
                self.frames, video.name, frames, folder, self.columns
            )
            await in_thread(write_video, self.target, part, number, folder)
        return "; ".join(damage.lines()) if damage.incomplete else ""


class _Rows:
    """A sink that writes the rows of images, and no pictures; see `offline.sinks.Sink`."""

    done: Container[str] = ()

    def __init__(self, tables: FolderTables) -> None:
        self._tables = tables

    def write_picture(self, image: U8, result: ImageResult, original: Path) -> None:
        """Write nothing."""

    def write_result(self, result: ImageResult) -> None:
        """Write the rows."""
        self._tables.add(result)
