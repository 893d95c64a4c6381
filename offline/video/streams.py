"""The container of a video, and the stream in it that is analyzed."""

from pathlib import Path

import av
from av.stream import Disposition

from offline.errors import CorruptVideoError, NoVideoError

# ffmpeg's weight of the disposition "default", in pixels (fftools/ffmpeg_mux_init.c).
DEFAULT_PIXELS = 5_000_000
# Codec tags of Dolby Vision that only its own decoders show right (profile 5).
DOLBY_VISION = ("dvh1", "dvhe", "dav1")


def open_container(
    source: Path | str, demuxer: str | None = None, options: dict[str, str] | None = None
) -> av.container.InputContainer:
    """Open a file or stream; `demuxer` and `options` are FFmpeg's.

    Raises:
        FFmpegError: it cannot be opened.
    """
    if isinstance(source, Path):
        source = str(source.absolute())  # FFmpeg takes the start of "10:30.mp4" for a protocol
    # Titles and comments may have any encoding.
    return av.open(source, format=demuxer, options=options, metadata_errors="replace")


def choose_stream(container: av.container.InputContainer) -> av.VideoStream:
    """Return the stream that ffmpeg shows: the largest one, a default one before others.

    A cover picture or a track of thumbnails is no video.

    Raises:
        NoVideoError: there is no video.
        CorruptVideoError: the format of the video is unknown.
    """
    streams = videos(container)
    if not streams:
        raise NoVideoError("the file holds no video")
    known = [stream for stream in streams if stream.codec_context]
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
    if _codec_tag(stream) in DOLBY_VISION:
        lines.append("Dolby Vision without a base layer: the colours are wrong")
    return lines


def _codec_tag(stream: av.VideoStream) -> str:
    try:
        return stream.codec_context.codec_tag
    except UnicodeDecodeError:  # four bytes of any value; PyAV expects text
        return ""
