"""Frames of video files and streams, decoded by PyAV."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av

from engines.types import U8
from offline.errors import CorruptVideoError
from offline.video.clock import Clock, rate_of
from offline.video.damage import Damage
from offline.video.decoding import Decoder
from offline.video.picture import Converter, Shown
from offline.video.streams import choose_stream, open_container, remarks
from offline.video.timecode import Timecodes

# The first box of files whose index is often at the end (ISO/IEC 14496-12, QuickTime).
MOVIE_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")
# AVFMT_TS_DISCONT: timestamps of the format may jump. AVFMT_NOTIMESTAMPS: it has none.
TS_DISCONT, NO_TIMESTAMPS = 0x200, 0x80


class Frame(NamedTuple):
    """A frame: its number in the file, seconds since the first one, upright RGB uint8 (h, w, 3).

    `timecode` is its SMPTE timecode, empty if there is none.
    """

    number: int
    time: float
    image: U8
    timecode: str = ""


def read_frames(
    source: Path | str,
    fps: float | None = None,
    demuxer: str | None = None,
    options: dict[str, str] | None = None,
    damage: Damage | None = None,
) -> Iterator[Frame]:
    """Decode every frame, or at most `fps` frames per second; one is in memory at a time.

    `demuxer` and `options` are FFmpeg's, for cameras and streams. `damage` receives what cannot be
    decoded; the frames around it are read.

    Raises:
        CorruptVideoError: the source cannot be opened, or no frame of it can be decoded.
    """
    try:
        with open_container(source, demuxer, options) as container:
            yield from _read(container, fps, damage or Damage())
    except av.error.FFmpegError as error:
        reason = _missing_part(Path(source)) or error.strerror
        raise CorruptVideoError(f"the video cannot be decoded: {reason}") from error


def count_frames(path: Path, fps: float | None) -> int | None:
    """Estimate how many frames `read_frames` will yield; None if the file lacks the figures."""
    try:
        with open_container(path) as container:
            stream = choose_stream(container)
            rate = rate_of(stream)
            seconds = (container.duration or 0) / av.time_base
            total = stream.frames or round(seconds * rate)
            return round(total * min(1.0, fps / rate if fps else 1.0)) or None
    except (av.error.FFmpegError, CorruptVideoError):
        return None


def _read(
    container: av.container.InputContainer, fps: float | None, damage: Damage
) -> Iterator[Frame]:
    stream = choose_stream(container)
    damage.remarks += remarks(container, stream)
    damage.joined = bool(container.format.flags & (TS_DISCONT | NO_TIMESTAMPS))
    clock = Clock(stream, jumps=bool(container.format.flags & TS_DISCONT))
    sampler, converter = _Sampler(fps, rate_of(stream)), Converter(stream)
    timecodes = Timecodes(container, stream)
    number, shown_any = 0, False
    decoder = Decoder(container, stream, damage)
    for decoded in chain(decoder.frames(), (None,)):
        for shown in converter.push(decoded):
            time = clock.time_of(shown.frame)
            distorted, key = shown.frame.is_corrupt, shown.frame.key_frame
            damage.add_frame(time, clock.duration, distorted=bool(distorted), key=bool(key))
            if sampler.takes(time) and (image := _image(shown, damage)) is not None:
                shown_any = True
                yield Frame(number, time, image, timecodes.at(shown.frame, time))
            number += 1
    damage.finish(decoder.rest)
    if not shown_any:
        raise CorruptVideoError(_reason(stream, number))


def _image(shown: Shown, damage: Damage) -> U8 | None:
    """Return the picture of a frame; one that FFmpeg cannot convert to RGB is lost."""
    try:
        return shown.image()
    except av.error.FFmpegError:
        damage.lose()
        return None


def _reason(stream: av.VideoStream, frames: int) -> str:
    """Return why none of the decoded `frames` was shown."""
    if frames:
        return f"the pixel format {stream.pix_fmt} cannot be converted to RGB"
    return "no frame can be decoded"


def _missing_part(path: Path) -> str | None:
    """Return what a file lacks that cannot be opened, if that is known."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return "the file is empty"
    if start[4:] in MOVIE_BOXES:
        return "its index (moov) is missing; the file is cut off, or its recording has not ended"
    return None


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
