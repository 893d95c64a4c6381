"""The video stream of a file that is analyzed."""

import av
from av.stream import Disposition

from offline.errors import CorruptVideoError, NoVideoError

# ffmpeg's weight of the disposition "default", in pixels (fftools/ffmpeg_mux_init.c).
DEFAULT_PIXELS = 5_000_000
# Codec tags of Dolby Vision that only its own decoders show right (profile 5).
DOLBY_VISION = ("dvh1", "dvhe", "dav1")


def choose_stream(container: av.container.InputContainer) -> av.VideoStream:
    """Return the stream that ffmpeg shows: the largest one, a default one before others.

    A cover picture or a track of thumbnails is no video.

    Raises:
        NoVideoError: there is no video.
        CorruptVideoError: the format of the video is unknown.
    """
    films = videos(container)
    if not films:
        raise NoVideoError("the file holds no video")
    known = [stream for stream in films if stream.codec_context]
    if not known:
        raise CorruptVideoError("there is no decoder for the format of the video")
    return max(known, key=_score)  # the first of several with the same score


def videos(container: av.container.InputContainer) -> list[av.VideoStream]:
    """Return the streams that are videos."""
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def _score(stream: av.VideoStream) -> int:
    default = bool(stream.disposition & Disposition.default)
    return stream.width * stream.height + DEFAULT_PIXELS * default


def remarks(container: av.container.InputContainer, stream: av.VideoStream) -> list[str]:
    """Return what a user should know about the choice of a stream, a line each."""
    lines = []
    if (count := len(videos(container))) > 1:
        size = f"{stream.width}x{stream.height}"
        lines.append(f"{count} video streams; the one of {size} is analyzed")
    if stream.codec_context.codec_tag in DOLBY_VISION:
        lines.append("Dolby Vision without a base layer: the colours are wrong")
    return lines
