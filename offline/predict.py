"""`emotions predict`: images and videos to JSON lines on standard output, or to a folder."""

import asyncio
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import uvloop
from rich.console import Console

from analysis.errors import UnsupportedMediaTypeError
from engines import cpu
from offline.analyzers import open_analyzer
from offline.analyzers.types import Analyzer
from offline.contents import file_reader
from offline.errors import MissingExtraError, NothingReadError, OutputError
from offline.extras import require_pyav
from offline.files import FoundFile, all_inside, common_folder, find_files
from offline.images import Read, analyze_images, failed_result
from offline.names import printable
from offline.progress import ResultCounter, count_results
from offline.run import PredictRun
from offline.sinks import JsonLines, ResultsFolder
from offline.tables.convert import check_format, convert
from offline.tables.folder import TABLES, FolderTables
from service.options import default_options
from service.settings import Settings

# The error of a video without `--out`.
NEEDS_OUT = "videos need --out, a folder for their results"


def predict(settings: Settings, run: PredictRun, console: Console) -> int:
    """Analyze files, with progress on `console`; return how many could not be analyzed.

    Raises:
        EngineError: a plan is missing or does not fit.
        OutputError: `out` holds other results, all paths lie in `out`, or a link leads out of it.
        NothingReadError: there is no image and no video.
        MissingExtraError: the table format needs a library that is not installed.
        RemoteError: the service at `url` does not answer.
        OSError: a result cannot be written.
    """
    check_format(run.table_format)
    if run.out and run.out.exists() and not run.out.is_dir():
        raise OutputError(f"{run.out} is a file; --out takes a folder")
    if run.out and all_inside(run.paths, run.out):
        raise OutputError(
            f"nothing to read: {run.out} is the folder for results, and its pictures are not read; "
            "choose another --out"
        )
    return uvloop.run(_predict(settings, run, console))


async def _predict(settings: Settings, run: PredictRun, console: Console) -> int:
    # More threads would compete with the networks, which already use every core.
    pool = ThreadPoolExecutor(cpu.available(), thread_name_prefix="picture")
    asyncio.get_running_loop().set_default_executor(pool)
    keep, read = run.out is not None, file_reader(settings.max_image_bytes)
    options = default_options(settings)._replace(embeddings=run.embeddings, keep_image=keep)
    identify = keep and run.identities
    async with open_analyzer(settings, options, run.url, identify=identify) as analyzer:
        if run.out is None:
            return await _predict_lines(analyzer, run, console, read)
        return await predict_folder(analyzer, run, run.out, console, read)


async def _predict_lines(analyzer: Analyzer, run: PredictRun, console: Console, read: Read) -> int:
    """Write JSON lines, with the paths of the command line as names."""
    found = find_files(run.paths)
    files = (file._replace(name=printable(str(file.path))) for file in found)
    sink = JsonLines(sys.stdout.buffer)
    counter = ResultCounter(console)
    for video in await analyze_images(analyzer, files, sink, counter, read):
        result = failed_result(video, UnsupportedMediaTypeError.code, NEEDS_OUT)
        sink.write_result(result)
        counter.add(result)
    return _finish(counter)


async def predict_folder(
    analyzer: Analyzer, run: PredictRun, out: Path, console: Console, read: Read
) -> int:
    """Write pictures, tables and videos into `out`; return how many files failed.

    Raises:
        NothingReadError, OutputError: see `predict`.
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
        with count_results(console, total, "files") as counter:
            files, sink = find_files(run.paths, out), ResultsFolder(out, tables)
            videos = await analyze_images(analyzer, files, sink, counter, read)
    await _predict_videos(analyzer, videos, run, out, counter)
    convert(out, run.table_format, TABLES)
    console.print(f"{out}: {counter}", markup=False)
    return _finish(counter)


async def _predict_videos(
    analyzer: Analyzer,
    videos: Sequence[FoundFile],
    run: PredictRun,
    out: Path,
    counter: ResultCounter,
) -> None:
    if not videos:
        return
    try:
        require_pyav()
    except MissingExtraError as error:
        for video in videos:
            counter.fail_video(video.name, str(error))
        return
    from offline.videos import predict_videos  # noqa: PLC0415  (PyAV is an extra)

    await predict_videos(analyzer, videos, run, out, counter)


def _finish(counter: ResultCounter) -> int:
    """Print what was left out; return how many files failed."""
    counter.print_left_out()
    if not counter.found:
        raise NothingReadError("nothing was read: there is no image and no video in these paths")
    return counter.failed
