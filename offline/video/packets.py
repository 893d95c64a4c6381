"""The packets of a video stream, and where they end."""

from collections.abc import Iterator
from typing import TypeAlias

import av
from av.stream import Discard

from offline.video.clock import timestamp
from offline.video.damage import Damage

Packet: TypeAlias = "av.Packet[av.stream.Stream]"

# AVFMT_FLAG_GENPTS, which PyAV sets: timestamps are made up where a file has none. In AVI files
# they are wrong.
GENPTS = 0x1
# Rounding, and last frames without a duration, make sound files shorter than they state.
TOLERANCE_S = 0.25
# Formats that interleave the packets of all streams, and state one duration for all of them.
INTERLEAVED = ("matroska", "flv")


class Packets:
    """Reads the packets of a stream; records in `damage` when they end too early."""

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream, damage: Damage
    ) -> None:
        self._container, self._stream, self._damage = container, stream, damage
        self._format = container.format.name.partition(",")[0]
        self._reached = 0.0  # the end of the last packet, seconds
        container.flags &= ~GENPTS
        if self._format not in INTERLEAVED:
            for other in container.streams:
                other.discard = Discard.default if other is stream else Discard.all

    def __iter__(self) -> Iterator[Packet]:
        """Yield the packets; after damaged data, go on where the demuxer finds the next one."""
        error: av.error.FFmpegError | None = None
        while True:
            try:
                for packet in self._container.demux():
                    if not packet.size:
                        continue  # the demuxer's mark of the end
                    if error:
                        self._damage.lose()
                        error = None
                    self._reach(packet)
                    if packet.stream_index == self._stream.index:
                        yield packet
                break
            except av.error.InvalidDataError as broken:
                if error:
                    break
                error = broken
            except av.error.FFmpegError as broken:
                error = broken
                break
        self._end(error)

    def _reach(self, packet: Packet) -> None:
        ticks = timestamp(packet)
        if ticks is not None:
            end = float((ticks + (packet.duration or 0)) * packet.time_base)
            self._reached = max(self._reached, end)

    def _end(self, error: av.error.FFmpegError | None) -> None:
        stated = self._stated_end()
        if error:
            self._damage.end = f"breaks off after {self._reached:.1f} s: {error.strerror}"
        elif stated and self._reached < stated - TOLERANCE_S:
            self._damage.end = f"breaks off after {self._reached:.1f} of {stated:.1f} s"

    def _stated_end(self) -> float | None:
        """Return the end that the header states, seconds; for other formats, libav estimates."""
        stream, base = self._stream, self._stream.time_base
        if base and self._format == "avi":
            return float(stream.frames * base)
        if base and stream.duration is not None and self._format in ("mov", "mxf"):
            return float(stream.duration * base)
        # libav estimates a duration only if it knows the bit rate of the video.
        stated = stream.duration is None or not stream.codec_context.bit_rate
        if self._container.duration and stated and self._format in INTERLEAVED:
            return self._container.duration / av.time_base
        return None
