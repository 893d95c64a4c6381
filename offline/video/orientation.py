"""Turned and mirrored videos."""

import math
import struct
from collections.abc import Mapping
from typing import cast

import av

from offline.video.filters import Chain, Filter

# ISO/IEC 14496-12, section 6.2.2: nine 32-bit integers, in the byte order of the machine.
MATRIX = struct.Struct("=9i")
QUARTER = 90  # degrees
# PyAV 18 raises a ValueError for the side data of a frame if it does not know one of the kinds: in
# FFmpeg 8 those from 28 on, such as EXIF (31) and the views of stereo video (29).
WITHOUT_UNKNOWN = [Filter("sidedata", f"mode=delete:type={kind}") for kind in range(28, 40)]


def orient(frame: av.VideoFrame) -> list[Filter]:
    """Return the filters that `ffmpeg` inserts for the display matrix of a frame."""
    matrix = _matrix(frame)
    return _filters(matrix) if matrix else []


def _matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    try:
        side_data = frame.side_data
    except ValueError:
        (known,) = Chain(frame, WITHOUT_UNKNOWN).push(frame)
        side_data = known.side_data
    # PyAV's annotations know one key only.
    data = bytes(cast("Mapping[str, bytes]", side_data).get("DISPLAYMATRIX", b""))
    return MATRIX.unpack(data) if len(data) == MATRIX.size else None


def _filters(matrix: tuple[int, ...]) -> list[Filter]:
    """Follow `configure_input_video_filter` in FFmpeg's fftools/ffmpeg_filter.c."""
    a, _, _, c, d = matrix[:5]
    angle = _clockwise(matrix)
    if angle is None:
        return []
    if angle == QUARTER:
        return [Filter("transpose", "cclock_flip" if c > 0 else "clock")]
    if angle == 2 * QUARTER:
        return [Filter(name) for name, scale in (("hflip", a), ("vflip", d)) if scale < 0]
    if angle == 3 * QUARTER:
        return [Filter("transpose", "clock_flip" if c < 0 else "cclock")]
    if angle:
        return [Filter("rotate", f"{angle}*PI/180")]
    return [Filter("vflip")] if d < 0 else []


def _clockwise(matrix: tuple[int, ...]) -> int | None:
    """Return the angle in degrees, 0 to 359; None if the matrix is degenerate.

    Follow `av_display_rotation_get` in FFmpeg's libavutil/display.c.
    """
    a, b, _, c, d = matrix[:5]
    if not math.hypot(a, c) or not math.hypot(b, d):
        return None
    angle = math.atan2(b / math.hypot(b, d), a / math.hypot(a, c))
    return round(math.degrees(angle)) % 360
