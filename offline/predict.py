"""`emotions predict`: images and videos to JSON lines on standard output, or to a folder."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import uvloop
from rich.console import Console

from analysis.types import Options
from engines import cpu
from offline.analyzers import open_analyzer
from offline.analyzers.types import Analyzer
from offline.errors import OutputError
from offline.extras import require_pyav
from offline.files import all_inside, common_folder, find_files, has_videos
from offline.images import analyze_images
from offline.job import Job
from offline.names import printable
from offline.progress import count_results
from offline.sinks import JsonLines, ResultsFolder
from offline.tables.convert import check_format, convert
from offline.tables.folder import TABLES, FolderTables
from service.settings import Settings


def predict(settings: Settings, job: Job, console: Console) -> int:
    """Run a job, with its progress on `console`; return how many files could not be analyzed.

    Raises:
        EngineError: a plan is missing or does not fit.
        OutputError: `out` holds results, maybe for the files of another folder; or all paths lie
            in `out`; or `out` leads elsewhere by links.
        MissingExtraError: the table format or a video needs a library that is not installed.
        RemoteError: the service at `url` does not answer.
        OSError: a result cannot be written.
    """
    check_format(job.table_format)
    _check_output(job)
    return uvloop.run(_predict(settings, job, console))


def _check_output(job: Job) -> None:
    if job.out and all_inside(job.paths, job.out):
        raise OutputError(
            f"nothing to read: {job.out} is the folder for results, and its pictures are not read; "
            "choose another --out"
        )
    if has_videos(job.paths, job.out):
        if job.out is None:
            raise OutputError("videos need --out, a folder for their results")
        require_pyav()


async def _predict(settings: Settings, job: Job, console: Console) -> int:
    # More threads would draw and encode beside networks that already use every core.
    pool = ThreadPoolExecutor(cpu.available(), thread_name_prefix="picture")
    asyncio.get_running_loop().set_default_executor(pool)
    keep = job.out is not None
    options = Options(settings.min_score, settings.max_faces, job.embeddings, keep)
    identify = keep and job.identities
    async with open_analyzer(settings, options, job.url, identify=identify) as analyzer:
        if job.out is None:
            return await _predict_lines(analyzer, job, console)
        return await predict_folder(analyzer, job, job.out, console)


async def _predict_lines(analyzer: Analyzer, job: Job, console: Console) -> int:
    """Write JSON lines, with the paths of the command line as names."""
    found = find_files(job.paths)
    files = (file._replace(name=printable(str(file.path))) for file in found)
    with count_results(console, 0, bar=False) as counter:
        await analyze_images(analyzer, files, JsonLines(sys.stdout.buffer), counter.add)
    return counter.failed


async def predict_folder(analyzer: Analyzer, job: Job, out: Path, console: Console) -> int:
    """Write pictures, tables and videos into `out`; return how many files failed.

    Raises:
        OutputError: see `predict`.
    """
    tables = FolderTables(
        out,
        analyzer.labels,
        embeddings=job.embeddings,
        same_person=analyzer.same_person if analyzer.embeds and job.identities else None,
        resume=job.resume,
        base=common_folder(job.paths),
    )
    with closing(tables):
        total = sum(1 for file in find_files(job.paths, out) if file.name not in tables.done)
        with count_results(console, total, bar=total > 0) as counter:
            files = find_files(job.paths, out)
            await analyze_images(analyzer, files, ResultsFolder(out, tables), counter.add)
    failed = counter.failed
    if has_videos(job.paths, out):
        from offline.videos import predict_videos  # noqa: PLC0415  (PyAV is an extra)

        failed += await predict_videos(analyzer, job, out, console)
    convert(out, job.table_format, TABLES)
    console.print(f"{out}: {counter.images} images, {counter.faces} faces", markup=False)
    return failed
