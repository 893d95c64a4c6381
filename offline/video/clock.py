"""The times of the frames of a video."""

import math

import av

DEFAULT_RATE = 25  # frames per second of a stream that does not state its rate
# ffmpeg's -dts_delta_threshold: in broadcast formats, a longer step is no pause, but a new clock.
NEW_CLOCK_S = 10.0
# Steps back that are longer come from a new clock: in broadcast formats as in ffmpeg, in others
# where no reordered frame can go back so far.
BACK_IN_BROADCASTS_S, BACK_S = 0.1, 1.0


class Clock:
    """Gives each frame its time in seconds since the first one; times never decrease.

    Where recordings are joined, timestamps jump by hours, forwards or backwards. There the time
    goes on by one frame, as in ffmpeg. `jumps` is for formats that allow both.
    """

    def __init__(self, stream: av.VideoStream, *, jumps: bool) -> None:
        self._base = float(stream.time_base or 0)
        self._interval = 1 / rate_of(stream)
        self._longest = NEW_CLOCK_S if jumps else math.inf
        self._back = BACK_IN_BROADCASTS_S if jumps else BACK_S
        self._zero: float | None = None  # the timestamp of time 0, seconds
        self._time = 0.0
        self.duration = 0.0  # of the last frame, seconds

    def time_of(self, frame: av.VideoFrame) -> float:
        """Return the time of the next frame in the order of display."""
        ticks = timestamp(frame)
        next_time = self._time + self.duration
        seconds = None if ticks is None else ticks * self._base
        if self._zero is None:
            self._zero = seconds or 0.0
        time = next_time if seconds is None else seconds - self._zero
        if not -self._back <= time - self._time <= self._longest:
            self._zero += time - next_time
            time = next_time
        self._time = max(self._time, time)
        self.duration = frame.duration * self._base or self._interval
        return self._time


def rate_of(stream: av.VideoStream) -> float:
    """Return the frames per second; 1 / the interval of frames without timestamps."""
    return float(stream.guessed_rate or DEFAULT_RATE)


def timestamp(data: "av.VideoFrame | av.Packet[av.stream.Stream]") -> int | None:
    """Return when data is displayed, in the time base of its stream; None if nothing says so."""
    return data.dts if data.pts is None else data.pts
