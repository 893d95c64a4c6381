"""Frames of a video stream as ffmpeg decodes them: an error costs only the packet it is in."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import av
import numpy as np

from offline.video.clock import timestamp
from offline.video.damage import Damage
from offline.video.packets import Packet, Packets
from offline.video.streams import open_container


class Decoder:
    """Decodes a stream to its end; records in `damage` what is lost."""

    def __init__(
        self, container: av.container.InputContainer, stream: av.VideoStream, damage: Damage
    ) -> None:
        stream.thread_type = "AUTO"
        self._container, self._stream, self._damage = container, stream, damage
        self._pending = 0  # packets that have given neither a frame nor an error
        self._last: av.VideoFrame | None = None
        self._packets_end: int | None = None  # in the time base of the stream

    @property
    def rest(self) -> float:
        """Seconds of packets after the end of the last frame, which gave no frame."""
        start = timestamp(self._last) if self._last else None
        if start is None or self._last is None or self._packets_end is None:
            return 0.0
        ticks = self._packets_end - start - (self._last.duration or 0)
        return float(ticks * (self._stream.time_base or 0))

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames in the order of display."""
        yield from self._frames()
        if self._pending > 0 and self._last and Path(self._container.name).is_file():
            with suppress(av.error.FFmpegError):
                for frame in self._frames_after(self._last):
                    self._last = frame
                    yield frame

    def _frames(self) -> Iterator[av.VideoFrame]:
        for packet in Packets(self._container, self._stream, self._damage):
            start = timestamp(packet)
            if start is not None and not packet.is_discard:
                self._packets_end = start + (packet.duration or 0)
            yield from self._decode(packet)
        flush: Packet = av.Packet()
        if self._stream.time_base:
            flush.time_base = self._stream.time_base  # of the frames
        yield from self._decode(flush)

    def _decode(self, packet: Packet) -> list[av.VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except av.error.FFmpegError:
            if packet.size:
                self._damage.lose()
            return []
        self._pending += bool(packet.size) - len(frames)
        if frames:
            self._last = frames[-1]
        return frames

    def _frames_after(self, last: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Decode the end again in a single thread, and yield the frames after `last`.

        With several threads, an error among the last packets ends the decoding of them in PyAV.
        """
        time = timestamp(last)
        for same in (_same_picture, _same_time) if time is not None else ():
            with open_container(self._container.name) as container:
                stream = next(s for s in container.streams.video if s.index == self._stream.index)
                again = Decoder(container, stream, Damage())
                stream.codec_context.thread_count = 1
                if same is _same_picture:  # in a damaged file, a seek may miss the frame
                    with suppress(av.error.FFmpegError):
                        container.seek(time or 0, stream=stream)
                frames = again._frames()
                if any(same(frame, last) for frame in frames):
                    self._damage.forget()
                    again._damage = self._damage
                    yield from islice(frames, self._pending)
                    return


def _same_time(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return timestamp(one) == timestamp(other)


def _same_picture(one: av.VideoFrame, other: av.VideoFrame) -> bool:
    return _same_time(one, other) and np.array_equal(
        one.to_ndarray(format="gray"), other.to_ndarray(format="gray")
    )
