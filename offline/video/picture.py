"""The picture of a video as a player shows it."""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from engines.types import U8
from offline.video.colour import standard_colours
from offline.video.cropping import Cropping
from offline.video.fields import Deinterlacer
from offline.video.filters import Chain, Filter, layout
from offline.video.orientation import orient

SQUARE, WHOLE = Fraction(1), Cropping()
# Pixels that are wider or higher than this are a mistake in the file.
MAX_ASPECT = 4


class Size(NamedTuple):
    """The size of a picture, in square pixels."""

    width: int
    height: int


class Shown:
    """A frame that can be shown; `frame` is what the decoder gave, with its time."""

    def __init__(
        self, frame: av.VideoFrame, progressive: av.VideoFrame, screen: "Screen", pixel: Fraction
    ) -> None:
        self.frame = frame
        self._progressive, self._screen, self._pixel = progressive, screen, pixel

    def image(self) -> U8:
        """Upright RGB uint8 (h, w, 3); computed by this call, so that a caller may skip frames."""
        return self._screen.show(self._progressive, self._pixel)


class Converter:
    """Turns the decoded frames of a stream into pictures as a player shows them.

    Frames are deinterlaced, cropped, turned upright, stretched to square pixels and tone-mapped, as
    each one needs. All pictures have the size of the first one.
    """

    def __init__(self, stream: av.VideoStream) -> None:
        self._deinterlacer, self._screen = Deinterlacer(stream), Screen(Cropping.of(stream))
        codec = stream.codec_context
        # The container's shape of pixels counts; without one, the codec's, which may change.
        stated = stream.sample_aspect_ratio != codec.sample_aspect_ratio
        self._shape: av.VideoStream | av.VideoCodecContext = stream if stated else codec

    def push(self, frame: av.VideoFrame | None) -> Iterator[Shown]:
        """Take the next frame; yield those that are ready. None yields the rest.

        Every frame comes out once, in order. A deinterlacer delays by a frame.
        """
        pixel = _pixel(self._shape.sample_aspect_ratio)
        for decoded, progressive in self._deinterlacer.push(frame):
            yield Shown(decoded, progressive, self._screen, pixel)


class Screen:
    """Shows frames at the size of the first one."""

    def __init__(self, cropping: Cropping = WHOLE) -> None:
        self._cropping = cropping
        self._size: Size | None = None
        self._chain: Chain | None = None
        self._key: tuple[object, ...] = ()

    def show(self, frame: av.VideoFrame, pixel: Fraction) -> U8:
        """Return the picture of a frame whose pixels are `pixel` times as wide as high."""
        colours, turns = standard_colours(frame), orient(frame)
        key = (layout(frame), colours, turns, pixel)
        if not self._chain or key != self._key:
            self._chain, self._key = Chain(frame, self._filters(frame, pixel, turns, colours)), key
        (shown,) = self._chain.push(frame)
        return np.asarray(shown.to_ndarray(), np.uint8)

    def _filters(
        self, frame: av.VideoFrame, pixel: Fraction, turns: list[Filter], colours: str
    ) -> list[Filter]:
        width, height = self._cropping.size(frame)
        size = Size(max(1, round(width * pixel)), height)
        if any(turn.name == "transpose" for turn in turns):
            size = Size(size.height, size.width)
        self._size = whole = self._size or size
        inner = _fit(size, whole)
        filters = [*self._cropping.filters(frame), *turns]
        filters.append(Filter("scale", f"{inner.width}:{inner.height}{colours}"))
        filters.append(Filter("format", "rgb24"))
        if inner != whole:
            filters.append(Filter("pad", f"{whole.width}:{whole.height}:-1:-1"))
        return filters


def _pixel(aspect: Fraction | None) -> Fraction:
    return aspect if aspect and 1 / MAX_ASPECT <= aspect <= MAX_ASPECT else SQUARE


def _fit(size: Size, whole: Size) -> Size:
    """Return the largest size with the proportions of `size` that fits into `whole`."""
    factor = min(whole.width / size.width, whole.height / size.height)
    return Size(*(max(1, round(side * factor)) for side in size))
