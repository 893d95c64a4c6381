"""What a video has lost."""

from typing import NamedTuple

SHOWN = 5
# A decoder returns up to this many frames from before an error after it (threads, reordering).
DELAYED_FRAMES = 32
# The shortest pause that is reported. Pauses are reported if at most one in `RARE` frames is
# followed by one; with more, the frame rate is variable.
PAUSE_FRAMES, PAUSE_S, RARE = 4, 0.2, 20


class Gap(NamedTuple):
    """What lies between the times of two frames, seconds.

    `start` is None before the first frame, and `end` after the last one.
    """

    packets: int
    start: float | None
    end: float | None

    def __str__(self) -> str:
        lost = f"{self.packets} packet{'s' if self.packets > 1 else ''} lost"
        if not self.packets:
            lost = "no frames"
        if self.start is None:
            return f"{lost} before the first frame"
        if self.end is None:
            return f"{lost} after {self.start:.2f} s"
        return f"{lost} between {self.start:.2f} and {self.end:.2f} s"


class Damage:
    """Collects the lost packets of a video, its pauses and distorted frames, and an early end.

    `end` is the reason of the early end; `remarks` are lines about other things. With
    `joined`, packets before the first frame are not lost: recordings of a broadcast start anywhere.
    """

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.pauses: list[Gap] = []
        self.distorted: list[float] = []
        self.end: str | None = None
        self.remarks: list[str] = []
        self.joined = False
        self._lost = self._late = 0  # packets, and frames since the first of them
        self._lost_at: float | None = None
        self._frames = 0
        self._time: float | None = None  # of the last frame
        self._due = 0.0  # when the next frame comes if none is missing
        self._distorted = False

    @property
    def incomplete(self) -> bool:
        """Whether a part of the video is surely missing; pauses may be intended."""
        return bool(self.gaps or self.end)

    def lose(self) -> None:
        """Count a packet that cannot be decoded."""
        if not self._lost:
            self._lost_at, self._late = self._time, 0
        self._lost += 1

    def forget(self) -> None:
        """Discard the packets lost since the last gap."""
        self._lost = 0

    def add_frame(self, time: float, duration: float, *, distorted: bool, key: bool) -> None:
        """Record a frame, seconds; packets lost before it belong to the next leap in time.

        Frames copy from those before them, so a distorted frame may distort all frames up to the
        next key frame.
        """
        if self._time is None and self._lost and not self.joined:
            self._close(None, time)
        elif self._time is None:
            self._lost = 0
        else:
            self._add_gap(self._time, time, duration)
        self._frames += 1
        self._time, self._due = time, time + duration
        self._distorted = distorted or (self._distorted and not key)
        if self._distorted:
            self.distorted.append(time)

    def _add_gap(self, last: float, time: float, duration: float) -> None:
        leap = time - self._due
        self._late += 1
        if self._lost and leap > duration / 2:
            self._close(last, time)
        elif self._lost and self._late > DELAYED_FRAMES:
            self._close(self._lost_at, time)
        elif leap > _shortest_pause(duration):
            self.pauses.append(Gap(0, last, time))

    def finish(self, rest: float = 0.0) -> None:
        """Record what is lost at the end: packets, or the `rest` seconds after the last frame."""
        if self._time is None:
            return
        if self._lost or rest > _shortest_pause(self._due - self._time):
            self._close(self._time, None)

    def _close(self, start: float | None, end: float | None) -> None:
        self.gaps.append(Gap(self._lost, start, end))
        self._lost = 0

    def lines(self) -> list[str]:
        """Return one line per defect; a sound video has none."""
        gaps = self.gaps + (self.pauses if len(self.pauses) * RARE <= self._frames else [])
        lines = [str(gap) for gap in sorted(gaps[:SHOWN], key=lambda gap: gap.start or 0.0)]
        if rest := gaps[SHOWN:]:
            lines.append(f"{len(rest)} more gaps, {sum(gap.packets for gap in rest)} packets lost")
        if self.distorted:
            noun = "frame" if len(self.distorted) == 1 else "frames"
            span = f"from {self.distorted[0]:.2f} to {self.distorted[-1]:.2f} s"
            lines.append(f"{len(self.distorted)} {noun} may be distorted, {span}")
        return [*lines, *([self.end] if self.end else []), *self.remarks]


def _shortest_pause(duration: float) -> float:
    """Return the seconds without frames that are reported, where one lasts `duration`."""
    return max(PAUSE_FRAMES * duration, PAUSE_S)
