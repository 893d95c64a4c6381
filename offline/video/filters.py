"""Chains of FFmpeg's filters."""

import errno
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import av


class Filter(NamedTuple):
    """A filter of FFmpeg and its options, as in `ffmpeg -vf name=options`."""

    name: str
    options: str = ""


class Chain:
    """Filters in a row, for frames of one size and pixel format.

    Raises:
        FFmpegError: FFmpeg cannot convert the format.
    """

    def __init__(self, frame: av.VideoFrame, filters: Sequence[Filter]) -> None:
        if _aborts(frame):
            raise av.error.NotImplementedError(errno.ENOSYS, "unknown pixel format")
        graph = av.filter.Graph()
        source = graph.add("buffer", _arguments(frame))
        nodes = [graph.add(item.name, item.options) for item in filters]
        graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
        self._graph = graph

    def push(self, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Take a frame, None at the end; yield those that are ready."""
        self._graph.vpush(frame)
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def layout(frame: av.VideoFrame) -> tuple[object, ...]:
    """What a chain is built for; frames with another layout need another chain."""
    return frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range


def _aborts(frame: av.VideoFrame) -> bool:
    """Whether swscale would end the process: an assertion of FFmpeg 8 fails for these formats."""
    name = frame.format.name
    return name.startswith("yaf32") or (name.startswith("bayer") and frame.height % 2 == 1)


def _arguments(frame: av.VideoFrame) -> str:
    width, height, pixels, matrix, scale = layout(frame)
    base = frame.time_base or Fraction(1, 90_000)
    return (
        f"video_size={width}x{height}:pix_fmt={pixels}:time_base={base}:pixel_aspect=1/1"
        f":colorspace={matrix}:range={scale}"
    )
