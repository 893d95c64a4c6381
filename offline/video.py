"""Video files in and out, by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from engines.types import U8

CLOCK = 90_000  # ticks a second of the videos we write
ENOUGH_QUALITY = "23"


class CorruptVideoError(Exception):
    """A file that holds no video, or one that breaks off."""


class Frame(NamedTuple):
    """A frame: its number in the file, seconds since the first one, upright RGB uint8 (h, w, 3)."""

    number: int
    time: float
    image: U8


def frames(
    path: Path | str,
    fps: float | None = None,
    form: str | None = None,
    options: dict[str, str] | None = None,
) -> Iterator[Frame]:
    """Decode a video, every frame or at most `fps` a second, one in memory at a time.

    `form` and `options` are FFmpeg's, for what is no file.

    Raises:
        CorruptVideoError: none of it, or not all of it, can be decoded.
    """
    try:
        with av.open(str(path), format=form, options=options) as container:
            if not container.streams.video:
                raise CorruptVideoError("the file holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or 25)
            due, first = 0.0, None
            for number, frame in enumerate(container.decode(stream)):
                time = number / rate if frame.time is None else float(frame.time)
                first = time if first is None else first  # broadcasts and cuts begin anywhere
                time -= first
                if fps is None or time + 0.5 / rate >= due:
                    due = max(due, time - 1 / rate) + 1 / fps if fps else due
                    yield Frame(number, time, _upright(frame))
    except av.error.FFmpegError as error:
        raise CorruptVideoError(f"the video cannot be decoded: {error.strerror}") from error


def count(path: Path, fps: float | None) -> int | None:
    """About how many frames `frames` will give; None where the file does not say."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 25)
            seconds = (container.duration or 0) / av.time_base
            total = stream.frames or round(seconds * rate)
            return round(total * min(1.0, fps / rate)) if fps else total or None
    except (av.error.FFmpegError, IndexError):
        return None


def _upright(frame: av.VideoFrame) -> U8:
    """Telephones store how they were held beside the frames (degrees counterclockwise)."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


class Writer:
    """Adds frames to a video."""

    def __init__(self, container: av.container.OutputContainer) -> None:
        self._container = container
        self._stream: av.VideoStream | None = None
        self._ticks = -1

    def write(self, image: U8, time: float) -> None:
        """Add a frame, RGB uint8 (h, w, 3), at `time` seconds; all of one size."""
        stream = self._stream = self._stream or self._open(image)
        even = image[: stream.height, : stream.width]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        self._ticks = max(self._ticks + 1, round(time * CLOCK))  # cameras' clocks may jump back
        frame.pts, frame.time_base = self._ticks, Fraction(1, CLOCK)
        self._container.mux(stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._stream:
            self._container.mux(self._stream.encode(None))

    def _open(self, image: U8) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=25, options={"crf": ENOUGH_QUALITY})
        height, width = image.shape[:2]
        stream.height, stream.width = height - height % 2, width - width % 2  # half-size colours
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        return stream


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write an H.264 video that browsers play."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        writer = Writer(container)
        yield writer
        writer.finish()
