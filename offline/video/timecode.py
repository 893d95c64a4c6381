"""SMPTE timecode of a video's frames."""

import re
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import av

LABEL = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.,])(\d\d\d?)")
HOURS, MINUTES, SECONDS = 24, 60, 60
MAX_RATE = 240  # frames per second; a higher rate is a guess of FFmpeg's
NTSC = Fraction(1000, 1001)


class Timecode(NamedTuple):
    """A label counted as in SMPTE ST 12-1: `frames` since midnight at `rate` frames per second.

    Drop-frame timecode leaves out the first labels of each minute but each tenth: two of 29.97
    frames per second, four of 59.94.
    """

    frames: int
    rate: int
    drop: bool

    @classmethod
    def parse(cls, label: str, rate: int) -> "Timecode | None":
        """Read a label such as 10:00:00:00, or 10:00:00;00 with drop-frame; None if it is none."""
        found = LABEL.fullmatch(label.strip())
        if not found or rate < 1:
            return None
        hours, minutes, seconds, frame = (int(found[i]) for i in (1, 2, 3, 5))
        if hours >= HOURS or minutes >= MINUTES or seconds >= SECONDS or frame >= rate:
            return None
        drop = found[4] != ":" and rate % 30 == 0
        minutes += hours * MINUTES
        frames = (minutes * SECONDS + seconds) * rate + frame
        return cls(frames - drop * _dropped(rate) * (minutes - minutes // 10), rate, drop)

    def later(self, frames: int) -> "Timecode":
        """Return the timecode `frames` later; it starts again at midnight."""
        return self._replace(frames=(self.frames + frames) % self._per_day())

    def __str__(self) -> str:
        frames = self.frames % self._per_day()
        if self.drop:
            frames += self._labels_dropped(frames)
        rest, frame = divmod(frames, self.rate)
        rest, seconds = divmod(rest, SECONDS)
        hours, minutes = divmod(rest, MINUTES)
        return f"{hours:02}:{minutes:02}:{seconds:02}{':;'[self.drop]}{frame:02}"

    def _per_day(self) -> int:
        minutes = HOURS * MINUTES
        dropped = self.drop * _dropped(self.rate) * (minutes - minutes // 10)
        return minutes * SECONDS * self.rate - dropped

    def _labels_dropped(self, frames: int) -> int:
        """Return how many labels were left out before the frame."""
        dropped = _dropped(self.rate)
        minute = SECONDS * self.rate - dropped
        tens, rest = divmod(frames, 10 * minute + dropped)
        return 9 * dropped * tens + dropped * max(0, (rest - dropped) // minute)


class Timecodes:
    """The timecode of each frame of a stream; empty where the file has none.

    A tag of the file states that of the first frame. Without a tag, the frames state it in their
    metadata: each frame (H.264, HEVC), or the first one of each group (MPEG-2). Of the groups, the
    first one counts.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        self._pace = _pace(stream)
        self._start = self._parse(_tag(container, stream))
        self._each = stream.codec_context.name not in ("mpeg1video", "mpeg2video")

    def at(self, frame: av.VideoFrame, time: float) -> str:
        """Return the label of a frame that is `time` seconds after the first one."""
        return self.count(time, _of_frame(frame))

    def count(self, time: float, own: str) -> str:
        """Return the label at `time`; `own` is what the frame states, or empty."""
        frames = round(time * self._pace)
        if self._start is None and own:
            stated = self._parse(own)
            if self._each:
                return str(stated or "")
            self._start = stated and stated.later(-frames)
        return str(self._start.later(frames)) if self._start else ""

    def _parse(self, label: str) -> Timecode | None:
        return Timecode.parse(label, round(self._pace))


def _of_frame(frame: av.VideoFrame) -> str:
    try:
        return frame.metadata.get("timecode", "")
    except UnicodeDecodeError:  # an author in EXIF, for example, may have any encoding
        return ""


def _tag(container: av.container.InputContainer, stream: av.VideoStream) -> str:
    tags = [stream.metadata, container.metadata, *(s.metadata for s in container.streams)]
    items = chain.from_iterable(metadata.items() for metadata in tags)
    return next((value for key, value in items if key.lower() == "timecode"), "")


def _pace(stream: av.VideoStream) -> Fraction:
    """Return frames per second: a whole number, or 1000/1001 of one."""
    rates = [rate for rate in (stream.average_rate, stream.guessed_rate) if rate]
    rate = next((rate for rate in rates if rate < MAX_RATE), Fraction(0))
    whole = Fraction(round(rate))
    return min(whole, whole * NTSC, key=lambda pace: abs(pace - rate))


def _dropped(rate: int) -> int:
    """Return the labels that a minute leaves out."""
    return rate // 15
