"""`emotions webcam`: a camera or stream until Ctrl-C, to JSON lines or a recording."""

import asyncio
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from analysis.document import ImageResult
from offline.analyzers import open_analyzer
from offline.analyzers.types import Analyzer
from offline.errors import CameraError, CorruptVideoError
from offline.progress import count_results
from offline.sinks import JsonLines
from offline.video.analyze import analyze_frames, analyze_video
from offline.video.live import LiveAnalyzer
from offline.video.reading import Frame
from service.options import default_options
from service.settings import Settings

# One frame is analyzed while the next is drawn; more would only add delay.
CONCURRENCY = 2


def watch(
    settings: Settings, source: str, out: Path | None, url: str | None, console: Console
) -> None:
    """Analyze a camera until SIGINT or SIGTERM, to standard output or into the folder `out`.

    `source` is the number of a camera, a device or an address. Frames that come while the networks
    are busy are dropped. An error that ends the run is raised after the frames before it have been
    written.

    Raises:
        EngineError: a plan is missing or does not fit.
        CameraError: the source cannot be opened, or it breaks off.
        RemoteError: the service at `url` does not answer, or stops answering.
    """
    asyncio.run(_watch(settings, source, out, url, console))


async def _watch(
    settings: Settings, source: str, out: Path | None, url: str | None, console: Console
) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_analyzer(settings, default_options(settings), url, identify=True) as analyzer:
        console.print(f"analyzing {source}; Ctrl-C ends it", markup=False)
        await record(analyzer, source, out, stop, console)


async def record(
    analyzer: Analyzer, source: str, out: Path | None, stop: threading.Event, console: Console
) -> None:
    """Analyze frames until `stop` is set or the source ends or fails.

    Raises:
        CameraError, RemoteError: see `watch`.
    """
    live = LiveAnalyzer(analyzer, source, stop, console)
    try:
        if out is None:
            await _write_lines(live)
        else:
            await _write_recording(live, source, out / time.strftime("%Y-%m-%d %H.%M.%S"), console)
        if live.error:
            raise live.error
    except CorruptVideoError as error:
        raise CameraError(f"{source}: {error}") from error


async def _write_lines(live: LiveAnalyzer) -> None:
    lines = JsonLines(sys.stdout.buffer)

    async def deliver(_: Frame, result: ImageResult) -> None:
        lines.write_result(result)

    await analyze_frames(live, "", live.frames(), deliver, CONCURRENCY)


async def _write_recording(live: LiveAnalyzer, source: str, folder: Path, console: Console) -> None:
    with count_results(console, None, "frames") as counter:
        people = await analyze_video(
            live, source, live.frames(), folder, counter.add, limit=CONCURRENCY
        )
    console.print(f"{folder}: {counter.images} frames, {len(people)} people", markup=False)
