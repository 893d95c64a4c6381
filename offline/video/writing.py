"""H.264 videos that browsers play, encoded by PyAV."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from engines.types import U8

TICKS_PER_SECOND = 90_000
PIXELS = "yuv420p"
MAX_SIDE = 16384  # x264's, pixels
QUALITY = "23"  # x264's constant rate factor; 23 is its default


class VideoWriter:
    """Encodes frames of one size; the first one sets the size of the video."""

    def __init__(self, container: av.container.OutputContainer) -> None:
        self._container = container
        self._stream: av.VideoStream | None = None
        self._ticks = -1

    def write(self, image: U8, time: float) -> None:
        """Add a frame, RGB uint8 (h, w, 3), at `time` seconds."""
        stream = self._stream = self._stream or self._open(image)
        even = image[: stream.height, : stream.width]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24").reformat(
            format=PIXELS, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        # The clock of a camera may jump back.
        self._ticks = max(self._ticks + 1, round(time * TICKS_PER_SECOND))
        frame.pts, frame.time_base = self._ticks, Fraction(1, TICKS_PER_SECOND)
        self._container.mux(stream.encode(frame))

    def finish(self) -> None:
        """Write the frames that the encoder still holds."""
        if self._stream:
            self._container.mux(self._stream.encode(None))

    def _open(self, image: U8) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=25, options={"crf": QUALITY})
        height, width = image.shape[:2]
        # yuv420p stores colours at half the size, so both sides must be even.
        stream.height, stream.width = height - height % 2, width - width % 2
        stream.pix_fmt = PIXELS
        # Without tags, players disagree about the colours.
        stream.colorspace, stream.color_range = Colorspace.ITU709, ColorRange.MPEG
        stream.color_primaries, stream.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        stream.codec_context.time_base = Fraction(1, TICKS_PER_SECOND)
        return stream


@contextmanager
def open_video(path: Path) -> Iterator[VideoWriter]:
    """Open a video file; the block writes its frames."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        writer = VideoWriter(container)
        yield writer
        writer.finish()
