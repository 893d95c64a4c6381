"""Cropping that a container states: `clap` of QuickTime and MP4, `PixelCrop` of Matroska."""

import re
from typing import NamedTuple

import av

from offline.video.filters import Filter

# In FFmpeg's description of a container: each stream, and what its side data crops.
STREAM = re.compile(r"^ *Stream #0:(\d+)", re.MULTILINE)
CROPPED = re.compile(r"Frame Cropping: (\d+)/(\d+)/(\d+)/(\d+)")


class Cropping(NamedTuple):
    """The pixels at each side that are not shown."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    @classmethod
    def of(cls, stream: av.VideoStream) -> "Cropping":
        """Return what a container states about a stream; nothing is cropped by default."""
        _, *parts = STREAM.split(_description(stream.container))
        texts = dict(zip(map(int, parts[::2]), parts[1::2], strict=True))
        found = CROPPED.search(texts.get(stream.index, ""))
        return cls(*map(int, found.groups())) if found else cls()

    def filters(self, frame: av.VideoFrame) -> list[Filter]:
        """Return the filter that crops a frame; none if it would leave nothing."""
        width, height = self.size(frame)
        if (width, height) == (frame.width, frame.height):
            return []
        return [Filter("crop", f"{width}:{height}:{self.left}:{self.top}:exact=1")]

    def size(self, frame: av.VideoFrame) -> tuple[int, int]:
        """Return the width and height of what is shown of a frame."""
        width = frame.width - self.left - self.right
        height = frame.height - self.top - self.bottom
        return (width, height) if min(width, height) > 0 else (frame.width, frame.height)


def _description(container: av.container.Container) -> str:
    """Return what `ffprobe` prints: PyAV gives no other access to the side data of a stream."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        return str(container.dumps_format())  # type: ignore[attr-defined]
    finally:
        av.logging.set_level(level)
