"""The videos of a run, each to a folder of its own."""

from collections.abc import Sequence
from pathlib import Path

import av
from rich.console import Console

from analysis.errors import ServiceError
from offline.analyzers.types import Analyzer
from offline.errors import CorruptVideoError, NoVideoError, ends_run
from offline.files import FoundFile
from offline.names import ResultPaths, ignores_case
from offline.progress import ResultCounter, count_results
from offline.run import PredictRun
from offline.tables.convert import convert
from offline.tables.folder import IMAGES
from offline.video.analyze import analyze_video
from offline.video.damage import Damage
from offline.video.output import exists, missing_parts
from offline.video.reading import count_frames, read_frames
from offline.video.tables import TABLES, Columns

VIDEOS = "videos"


async def predict_videos(
    analyzer: Analyzer,
    files: Sequence[FoundFile],
    run: PredictRun,
    out: Path,
    counter: ResultCounter,
) -> None:
    """Write a folder per video below `out`, and count the videos in `counter`.

    A file of a folder that turns out to hold sound alone is left out. With `run.resume`, videos
    that have a folder are not analyzed. A video that lacks a part has failed; it has a folder.

    Raises:
        OutputError: see `output_path`.
        RemoteError: the service at `url` does not answer.
        OSError: the disk is full.
    """
    paths = ResultPaths(out / VIDEOS, fold=ignores_case(out / IMAGES))
    for file in files:
        folder = paths.path(file.name)
        try:
            if run.resume and exists(folder):
                convert(folder, run.table_format, TABLES)
                _count_earlier(file, missing_parts(folder), counter)
            else:
                damage = await _predict_video(analyzer, file, run, folder, counter.console)
                convert(folder, run.table_format, TABLES)
                _count(file, damage, counter)
        except NoVideoError as error:
            if file.named:
                counter.fail_video(file.name, str(error))
            else:
                counter.leave_out("without video")
        except (CorruptVideoError, ServiceError) as error:
            counter.fail_video(file.name, str(error))
        except (OSError, av.error.FFmpegError) as error:
            if ends_run(error):
                raise
            counter.fail_video(file.name, f"cannot write the results: {error.strerror or error}")


async def _predict_video(
    analyzer: Analyzer, file: FoundFile, run: PredictRun, folder: Path, console: Console
) -> Damage:
    columns, damage = Columns(run.embeddings, run.identities), Damage()
    with count_results(console, count_frames(file.path, run.fps), "frames") as counter:
        frames = read_frames(file.path, run.fps, damage=damage)
        people = await analyze_video(
            analyzer, file.name, frames, folder, counter.add, columns=columns, damage=damage
        )
    noun = "people" if run.identities else "tracks"
    console.print(f"{folder}: {counter.images} frames, {len(people)} {noun}", markup=False)
    return damage


def _count_earlier(file: FoundFile, missing: str, counter: ResultCounter) -> None:
    """Count a video of an earlier run; a missing part is reported again."""
    if missing:
        counter.fail_video(file.name, missing)
    else:
        counter.done += 1


def _count(file: FoundFile, damage: Damage, counter: ResultCounter) -> None:
    """Count a video whose folder is complete; it has failed if a part of the video is missing."""
    lines = "; ".join(damage.lines())
    if damage.incomplete:
        counter.fail_video(file.name, lines)
        return
    counter.videos += 1
    if lines:
        counter.console.print(f"{file.name}: {lines}", markup=False)
