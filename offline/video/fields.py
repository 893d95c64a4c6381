"""Interlaced videos, deinterlaced."""

from collections import deque
from collections.abc import Iterator

import av

from offline.video.filters import Chain, Filter, layout

DEINTERLACE = Filter("bwdif", "mode=send_frame:deint=interlaced")
MIN_SIDE = 4  # of frames that bwdif takes
# The field order of a container (FFmpeg's AVFieldOrder: TT, BB, TB, BT) as FFmpeg reads it.
FIELD_ORDERS = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}


class Deinterlacer:
    """Deinterlaces interlaced frames. Others pass, at no cost before the first interlaced one."""

    def __init__(self, stream: av.VideoStream) -> None:
        codec = stream.codec_context
        # Codecs such as MJPEG do not say that a frame is interlaced; their containers do.
        self._order = FIELD_ORDERS.get(codec.field_order) if codec.codec.intra_only else None
        self._chain: Chain | None = None
        self._layout: tuple[object, ...] = ()
        self._waiting: deque[av.VideoFrame] = deque()

    def push(self, frame: av.VideoFrame | None) -> Iterator[tuple[av.VideoFrame, av.VideoFrame]]:
        """Take a frame, None at the end; yield each frame as it was and without fields.

        Every frame comes out once, in order, at most one frame later; with its fields if FFmpeg
        cannot deinterlace it.
        """
        if frame is not None:
            self._waiting.append(frame)
        try:
            if self._chain and (frame is None or layout(frame) != self._layout):
                yield from self._pull(self._chain, None)
                self._chain = None
            if frame is not None and not self._chain and self._is_interlaced(frame):
                self._chain, self._layout = Chain(frame, self._filters(frame)), layout(frame)
            if self._chain:
                yield from self._pull(self._chain, frame)
                return
        except av.error.FFmpegError:
            self._chain = None
        while self._waiting:
            yield (same := self._waiting.popleft()), same

    def _pull(
        self, chain: Chain, frame: av.VideoFrame | None
    ) -> Iterator[tuple[av.VideoFrame, av.VideoFrame]]:
        for shown in chain.push(frame):
            yield self._waiting.popleft(), shown

    def _filters(self, frame: av.VideoFrame) -> list[Filter]:
        if frame.interlaced_frame or not self._order:
            return [DEINTERLACE]
        return [Filter("setfield", self._order), DEINTERLACE]

    def _is_interlaced(self, frame: av.VideoFrame) -> bool:
        large = min(frame.width, frame.height) >= MIN_SIDE
        return large and bool(frame.interlaced_frame or self._order)
