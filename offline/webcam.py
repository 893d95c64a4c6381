"""`emotions webcam`: a camera or stream until Ctrl-C, to JSON lines or a recording."""

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from analysis.document import ImageResult
from analysis.errors import ServiceError
from analysis.types import Options
from engines.types import U8
from offline.analyzers import open_analyzer
from offline.analyzers.types import Analyzer
from offline.errors import CameraError, CorruptVideoError, RemoteError
from offline.progress import count_results
from offline.sinks import JsonLines
from offline.video.analyze import analyze_frames, analyze_video
from offline.video.camera import newest_frames
from offline.video.reading import Frame
from service.settings import Settings

# One frame is analyzed while the next is drawn; more would only add delay.
CONCURRENCY = 2


def watch(
    settings: Settings, source: str, out: Path | None, url: str | None, console: Console
) -> None:
    """Analyze a camera until SIGINT or SIGTERM, to standard output or into the folder `out`.

    `source` is the number of a camera, a device or an address. Frames that come while the networks
    are busy are dropped. An error that ends the run is raised after the frames before it are
    written.

    Raises:
        EngineError: a plan is missing or does not fit.
        CameraError: the source cannot be opened, or it breaks off.
        RemoteError: the service at `url` gives no answers, or no longer.
    """
    asyncio.run(_watch(settings, source, out, url, console))


async def _watch(
    settings: Settings, source: str, out: Path | None, url: str | None, console: Console
) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = Options(settings.min_score, settings.max_faces)
    async with open_analyzer(settings, options, url, identify=True) as analyzer:
        console.print(f"analyzing {source}; Ctrl-C ends it", markup=False)
        await record(analyzer, source, out, stop, console)


async def record(
    analyzer: Analyzer,
    source: str,
    out: Path | None,
    stop: threading.Event,
    console: Console,
) -> None:
    """Analyze frames until `stop` is set or the source ends or fails.

    Raises:
        CameraError, RemoteError: see `watch`.
    """
    live = _LiveAnalyzer(analyzer, source, stop, console)
    try:
        if out is None:
            await _write_lines(live)
        else:
            await _write_recording(live, source, out / time.strftime("%Y-%m-%d %H.%M.%S"), console)
        if live.error:
            raise live.error
    except CorruptVideoError as error:
        raise CameraError(f"{source}: {error}") from error


async def _write_lines(live: "_LiveAnalyzer") -> None:
    lines = JsonLines(sys.stdout.buffer)

    async def deliver(_: Frame, result: ImageResult) -> None:
        lines.write_result(result)

    await analyze_frames(live, "", live.frames(), deliver, CONCURRENCY)


async def _write_recording(
    live: "_LiveAnalyzer", source: str, folder: Path, console: Console
) -> None:
    with count_results(console, None, bar=True) as counter:
        people = await analyze_video(
            live, source, live.frames(), folder, counter.add, limit=CONCURRENCY
        )
    console.print(f"{folder}: {counter.images} frames, {len(people)} people", markup=False)


class _LiveAnalyzer:
    """An analyzer whose errors end the frames instead of the run, once there is a result.

    `error` is the one that has ended them. A recording may be hours long by then, and a camera
    cannot be watched again, so what it has given is written first.
    """

    def __init__(
        self, analyzer: Analyzer, source: str, stop: threading.Event, console: Console
    ) -> None:
        self.labels, self.same_person = analyzer.labels, analyzer.same_person
        self.error: CorruptVideoError | RemoteError | None = None
        self._analyzer, self._source, self._stop = analyzer, source, stop
        self._console = console
        self._has_result = False

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frames; see `newest_frames`."""
        try:
            yield from newest_frames(self._source, self._stop)
        except CorruptVideoError as error:
            self._end(error)

    async def analyze_frame(self, name: str, image: U8) -> ImageResult | None:
        """Analyze a frame. An error of this frame alone is printed, and the frame left out."""
        try:
            result = await self._analyzer.analyze_frame(name, image)
        except ServiceError as error:
            self._console.print(f"{name}: {error}", markup=False)
            return None
        except RemoteError as error:
            self._end(error)
            return None
        self._has_result = True
        return result

    def _end(self, error: CorruptVideoError | RemoteError) -> None:
        if not self._has_result:
            raise error
        self.error = self.error or error
        self._stop.set()
