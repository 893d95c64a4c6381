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
from offline.names import printable
from offline.progress import count_results
from offline.run import PredictRun
from offline.sinks import JsonLines, ResultsFolder
from offline.tables.convert import check_format, convert
from offline.tables.folder import TABLES, FolderTables
from service.settings import Settings


def predict(settings: Settings, run: PredictRun, console: Console) -> int:
    """Analyze files, with progress on `console`; return how many could not be analyzed.

    Raises:
        EngineError: a plan is missing or does not fit.
        OutputError: `out` holds other results, all paths lie in `out`, or a link leads out of it.
        MissingExtraError: the table format or a video needs a library that is not installed.
        RemoteError: the service at `url` does not answer.
        OSError: a result cannot be written.
    """
    check_format(run.table_format)
    _check_output(run)
    return uvloop.run(_predict(settings, run, console))


def _check_output(run: PredictRun) -> None:
    if run.out and all_inside(run.paths, run.out):
        raise OutputError(
            f"nothing to read: {run.out} is the folder for results, and its pictures are not read; "
            "choose another --out"
        )
    if has_videos(run.paths, run.out):
        if run.out is None:
            raise OutputError("videos need --out, a folder for their results")
        require_pyav()


async def _predict(settings: Settings, run: PredictRun, console: Console) -> int:
    # More threads would compete with the networks, which already use every core.
    pool = ThreadPoolExecutor(cpu.available(), thread_name_prefix="picture")
    asyncio.get_running_loop().set_default_executor(pool)
    keep = run.out is not None
    options = Options(settings.min_score, settings.max_faces, run.embeddings, keep)
    identify = keep and run.identities
    async with open_analyzer(settings, options, run.url, identify=identify) as analyzer:
        if run.out is None:
            return await _predict_lines(analyzer, run, console)
        return await predict_folder(analyzer, run, run.out, console)


async def _predict_lines(analyzer: Analyzer, run: PredictRun, console: Console) -> int:
    """Write JSON lines, with the paths of the command line as names."""
    found = find_files(run.paths)
    files = (file._replace(name=printable(str(file.path))) for file in found)
    with count_results(console, 0, bar=False) as counter:
        await analyze_images(analyzer, files, JsonLines(sys.stdout.buffer), counter.add)
    return counter.failed


async def predict_folder(analyzer: Analyzer, run: PredictRun, out: Path, console: Console) -> int:
    """Write pictures, tables and videos into `out`; return how many files failed.

    Raises:
        OutputError: see `predict`.
    """
    tables = FolderTables(
        out,
        analyzer.labels,
        embeddings=run.embeddings,
        same_person=analyzer.same_person if analyzer.embeds and run.identities else None,
        resume=run.resume,
        base=common_folder(run.paths),
    )
    with closing(tables):
        total = sum(1 for file in find_files(run.paths, out) if file.name not in tables.done)
        with count_results(console, total, bar=total > 0) as counter:
            files = find_files(run.paths, out)
            await analyze_images(analyzer, files, ResultsFolder(out, tables), counter.add)
    failed = counter.failed
    if has_videos(run.paths, out):
        from offline.videos import predict_videos  # noqa: PLC0415  (PyAV is an extra)

        failed += await predict_videos(analyzer, run, out, console)
    convert(out, run.table_format, TABLES)
    console.print(f"{out}: {counter.images} images, {counter.faces} faces", markup=False)
    return failed
