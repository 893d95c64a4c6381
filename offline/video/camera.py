"""The newest frame of a camera or stream; frames that come too fast are dropped."""

import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple

from offline.errors import CorruptVideoError
from offline.video.damage import Damage
from offline.video.reading import Frame, read_frames

SILENT_S = 10.0
POLL_S = 0.1


class Input(NamedTuple):
    """What `read_frames` opens: an address or device, FFmpeg's demuxer and its options."""

    source: str
    demuxer: str | None
    options: dict[str, str]


def input_of(source: str) -> Input:
    """Return how to open a camera by its number or device, or a stream by its address.

    RTSP goes over TCP, since lost packets of UDP distort the picture. A stream that is silent for
    `SILENT_S` seconds fails.
    """
    if source.startswith("rtsp"):
        timeout = str(int(SILENT_S * 1e6))  # microseconds
        return Input(source, None, {"rtsp_transport": "tcp", "timeout": timeout})
    if not source.isdecimal() and not source.startswith("/dev/"):
        return Input(source, None, {})
    match sys.platform:
        case "darwin":
            return Input(source, "avfoundation", {"framerate": "30"})
        case "win32":
            return Input(f"video={source}", "dshow", {})
    return Input(f"/dev/video{source}" if source.isdecimal() else source, "v4l2", {})


def newest_frames(source: str, stop: threading.Event) -> Iterator[Frame]:
    """Yield the newest frame each time, until `stop` is set or the source ends.

    Raises:
        CorruptVideoError: the source cannot be opened, or it breaks off.
    """
    last = -1
    with _Camera(source, stop) as camera:
        while (frame := camera.wait_after(last)) is not None:
            last = frame.number
            yield frame


class _Camera:
    """A thread that decodes a source and keeps its newest frame."""

    def __init__(self, source: str, stop: threading.Event) -> None:
        self._frame: Frame | None = None
        self._error: CorruptVideoError | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._stop = stop
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)

    def __enter__(self) -> "_Camera":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        # The garbage collector may end an abandoned generator in the thread of the camera.
        if threading.current_thread() is not self._thread:
            self._thread.join(SILENT_S)

    def wait_after(self, number: int) -> Frame | None:
        """Wait for a frame later than `number`; None at the end."""
        with self._changed:
            while not self._stop.is_set():
                if self._frame and self._frame.number > number:
                    return self._frame
                if self._error:
                    raise self._error
                if self._ended:
                    return None
                self._changed.wait(POLL_S)  # the handler of a signal sets `stop` without notifying
            return None

    def _read(self, source: str) -> None:
        opened, damage = input_of(source), Damage()
        try:
            for frame in read_frames(opened.source, None, opened.demuxer, opened.options, damage):
                self._put(frame)
                if self._ended or self._stop.is_set():
                    break
            if damage.end:
                raise CorruptVideoError(damage.end)
        except CorruptVideoError as error:
            self._error = error
        self._put(None)

    def _put(self, frame: Frame | None) -> None:
        """Replace the frame and notify; None marks the end."""
        with self._changed:
            self._frame = frame or self._frame
            self._ended = self._ended or frame is None
            self._changed.notify_all()
