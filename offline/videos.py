"""The videos of a run, each to a folder of its own."""

from pathlib import Path

from rich.console import Console

from analysis.errors import ServiceError
from offline.analyzers.types import Analyzer
from offline.errors import CorruptVideoError
from offline.files import FoundFile, find_files
from offline.names import output_path
from offline.progress import count_results
from offline.run import PredictRun
from offline.tables.convert import convert
from offline.video.analyze import analyze_video
from offline.video.output import exists
from offline.video.reading import count_frames, read_frames
from offline.video.tables import TABLES, Columns

VIDEOS = "videos"


async def predict_videos(analyzer: Analyzer, run: PredictRun, out: Path, console: Console) -> int:
    """Write a folder per video below `out`; return how many videos failed.

    A failed video is printed. With `run.resume`, videos that have a folder are not analyzed.

    Raises:
        OutputError: see `output_path`.
        RemoteError: the service at `url` does not answer.
    """
    failed = 0
    for file in find_files(run.paths, out, videos=True):
        folder = output_path(out / VIDEOS, file.name)
        try:
            if not (run.resume and exists(folder)):
                await _predict_video(analyzer, file, run, folder, console)
            convert(folder, run.table_format, TABLES)
        except (CorruptVideoError, ServiceError) as error:
            console.print(f"{file.name}: {error}", markup=False)
            failed += 1
    return failed


async def _predict_video(
    analyzer: Analyzer, file: FoundFile, run: PredictRun, folder: Path, console: Console
) -> None:
    columns = Columns(run.embeddings, run.identities)
    with count_results(console, count_frames(file.path, run.fps), bar=True) as counter:
        frames = read_frames(file.path, run.fps)
        people = await analyze_video(
            analyzer, file.name, frames, folder, counter.add, columns=columns
        )
    noun = "people" if run.identities else "tracks"
    console.print(f"{folder}: {counter.images} frames, {len(people)} {noun}", markup=False)
