"""Frames of video files and streams, decoded by PyAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from engines.types import U8
from offline.errors import CorruptVideoError

DEFAULT_RATE = 25  # frames per second of a stream that does not state its rate


class Frame(NamedTuple):
    """A frame: its number in the file, seconds since the first one, upright RGB uint8 (h, w, 3)."""

    number: int
    time: float
    image: U8


def read_frames(
    source: Path | str,
    fps: float | None = None,
    demuxer: str | None = None,
    options: dict[str, str] | None = None,
) -> Iterator[Frame]:
    """Decode every frame, or at most `fps` frames per second; one is in memory at a time.

    `demuxer` and `options` are FFmpeg's, for cameras and streams.

    Raises:
        CorruptVideoError: the source cannot be decoded, or not to its end.
    """
    try:
        with av.open(str(source), format=demuxer, options=options) as container:
            if not container.streams.video:
                raise CorruptVideoError("the file holds no video")
            yield from _decode(container, fps)
    except av.error.FFmpegError as error:
        raise CorruptVideoError(f"the video cannot be decoded: {error.strerror}") from error


def count_frames(path: Path, fps: float | None) -> int | None:
    """Estimate how many frames `read_frames` will yield; None if the file lacks the figures."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            rate = _rate(stream)
            seconds = (container.duration or 0) / av.time_base
            total = stream.frames or round(seconds * rate)
            return round(total * min(1.0, fps / rate)) if fps else total or None
    except (av.error.FFmpegError, IndexError):
        return None


def _decode(container: av.container.InputContainer, fps: float | None) -> Iterator[Frame]:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = _rate(stream)
    sampler, first = _Sampler(fps, rate), None
    for number, frame in enumerate(container.decode(stream)):
        time = number / rate if frame.time is None else float(frame.time)
        first = time if first is None else first  # broadcasts and cuts do not start at 0
        if sampler.takes(time - first):
            yield Frame(number, time - first, _upright(frame))


class _Sampler:
    """Picks the frames that are nearest to `fps` equal steps."""

    def __init__(self, fps: float | None, rate: float) -> None:
        self._fps, self._interval, self._due = fps, 1 / rate, 0.0

    def takes(self, time: float) -> bool:
        if self._fps is None:
            return True
        if time + self._interval / 2 < self._due:
            return False
        self._due = max(self._due, time - self._interval) + 1 / self._fps
        return True


def _rate(stream: av.VideoStream) -> float:
    return float(stream.average_rate or DEFAULT_RATE)


def _upright(frame: av.VideoFrame) -> U8:
    """Turn a frame by the rotation that telephones store beside it, degrees counterclockwise."""
    image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))
