"""A camera or a stream, watched until somebody stops it."""

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
from offline.analyzers import Reader, RemoteError, opened
from offline.predict import Lines
from offline.progress import counted
from offline.tables import OutputError
from offline.video import CorruptVideoError, Frame, frames
from offline.video_report import each, film
from service.settings import Settings

SILENT_S = 10.0


def watch(settings: Settings, source: str, out: Path | None, url: str | None, say: Console) -> None:
    """Read a camera's frames until SIGINT or SIGTERM, to standard output or into a folder.

    `source` is a camera's number, a device or an address; of its frames those are dropped that
    come while the networks are busy. What ends it early is raised when all that was seen before
    has been written.

    Raises:
        EngineError: a plan is missing or does not fit.
        OutputError: the camera cannot be read, or no longer.
        RemoteError: the service at `url` gives no answers, or no longer.
    """
    asyncio.run(_watch(settings, source, out, url, say))


async def _watch(
    settings: Settings, source: str, out: Path | None, url: str | None, say: Console
) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = Options(settings.min_score, settings.max_faces)
    async with opened(settings, options, url) as reader:
        say.print(f"watching {source}; Ctrl-C ends it", markup=False)
        try:
            await record(reader, source, out, stop, say)
        except CorruptVideoError as error:
            raise OutputError(f"{source}: {error}") from error


async def record(
    reader: Reader, source: str, out: Path | None, stop: threading.Event, say: Console
) -> None:
    """Watch until `stop` is set, the source ends or it fails; the last is raised in the end.

    Raises:
        CorruptVideoError: see `newest`.
        RemoteError: see `Reader.look`.
    """
    live = _Live(reader, source, stop, say)
    if out is None:
        lines = Lines(sys.stdout.buffer)

        async def write(_: Frame, result: ImageResult) -> None:
            lines.add(result)

        await each(live, "", live.frames(), write, ahead=2)
    else:
        folder = out / time.strftime("%Y-%m-%d %H.%M.%S")
        with counted(say, None, bar=True) as seen:
            people = await film(live, source, live.frames(), folder, seen, ahead=2)
        say.print(f"{folder}: {seen.images} frames, {len(people)} people", markup=False)
    if live.error:
        raise live.error


class _Live:
    """A source and its reader; once a frame is read, `error` keeps what ends them early.

    Hours may lie before a camera that is unplugged, and cannot be watched again.
    """

    def __init__(self, reader: Reader, source: str, stop: threading.Event, say: Console) -> None:
        self.labels, self.same_person = reader.labels, reader.same_person
        self.error: CorruptVideoError | RemoteError | None = None
        self._reader, self._source, self._stop, self._say = reader, source, stop, say
        self._begun = False

    def frames(self) -> Iterator[Frame]:
        """See `newest`."""
        try:
            yield from newest(self._source, self._stop)
        except CorruptVideoError as error:
            self._end(error)

    async def look(self, name: str, image: U8) -> ImageResult | None:
        """Read a frame; one that fails alone is told and left out."""
        try:
            result = await self._reader.look(name, image)
        except ServiceError as error:
            self._say.print(f"{name}: {error}", markup=False)
            return None
        except RemoteError as error:
            self._end(error)
            return None
        self._begun = True
        return result

    def _end(self, error: CorruptVideoError | RemoteError) -> None:
        if not self._begun:
            raise error
        self.error = self.error or error
        self._stop.set()


def newest(source: str, stop: threading.Event) -> Iterator[Frame]:
    """Give the newest frame each time, until `stop` is set or the source ends.

    Raises:
        CorruptVideoError: the source cannot be opened, or breaks off.
    """
    taken = -1
    with _Newest(source, stop) as box:
        while not stop.is_set():
            frame = box.after(taken)
            if frame is None:
                return
            taken = frame.number
            yield frame


class _Newest:
    """A thread that decodes a source and keeps its last frame."""

    def __init__(self, source: str, stop: threading.Event) -> None:
        self._frame: Frame | None = None
        self._error: CorruptVideoError | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._stop = stop
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)

    def __enter__(self) -> "_Newest":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._thread.join(SILENT_S)

    def after(self, number: int) -> Frame | None:
        """Wait for a frame later than `number`; None when there will be none."""
        with self._changed:
            while not self._stop.is_set():
                if self._frame and self._frame.number > number:
                    return self._frame
                if self._error:
                    raise self._error
                if self._ended:
                    return None
                self._changed.wait(0.1)  # a signal sets `stop` without a word to us
            return None

    def _read(self, source: str) -> None:
        try:
            for frame in frames(*opened_as(source)):
                self._put(frame)
                if self._ended or self._stop.is_set():
                    break
        except CorruptVideoError as error:
            self._error = error
        self._put(None)

    def _put(self, frame: Frame | None) -> None:
        with self._changed:
            self._frame = frame or self._frame
            self._ended = self._ended or frame is None
            self._changed.notify_all()


def opened_as(source: str) -> tuple[str, None, str | None, dict[str, str]]:
    """How `frames` opens a camera by its number or device, or an address.

    RTSP goes over TCP, as over UDP lost packets smear the picture; a source that is silent for
    ten seconds is given up.
    """
    if source.startswith("rtsp"):
        limit = str(int(SILENT_S * 1e6))
        return source, None, None, {"rtsp_transport": "tcp", "timeout": limit}
    if not source.isdecimal() and not source.startswith("/dev/"):
        return source, None, None, {}
    match sys.platform:
        case "darwin":
            return source, None, "avfoundation", {"framerate": "30"}
        case "win32":
            return f"video={source}", None, "dshow", {}
    return f"/dev/video{source}" if source.isdecimal() else source, None, "v4l2", {}
