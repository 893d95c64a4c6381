"""Colours of a video, converted to those of an ordinary screen (sRGB's primaries, BT.709)."""

import av
from av.video.reformatter import ColorPrimaries, ColorTrc

UNSPECIFIED = 2  # of a matrix, transfer characteristic or primaries (ITU-T H.273)
BT2020_MATRIX = 9
# Those that swscale converts: BT.709, FCC, BT.470BG, SMPTE 170M, SMPTE 240M and BT.2020.
MATRICES = (1, 4, 5, 6, 7, BT2020_MATRIX)
HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)  # PQ and HLG (ITU-R BT.2100)
# The light of PQ, HLG and BT.2020 up to 203 cd/m2, the white of ITU-R BT.2408, is shown as it is;
# brighter highlights become white. So a face looks the same in both, and metadata is not needed.
TO_SDR = ":out_transfer=bt709:out_primaries=bt709:intent=relative_colorimetric"


def standard_colours(frame: av.VideoFrame) -> str:
    """Return options of FFmpeg's filter `scale` for a frame's colours; correct its tags.

    A tag that swscale rejects is removed: ffmpeg would show nothing.
    """
    is_yuv = not frame.format.is_rgb
    if is_yuv and frame.colorspace not in MATRICES:
        frame.colorspace = UNSPECIFIED
    wide = frame.color_trc in HDR or frame.color_primaries == ColorPrimaries.BT2020
    if not wide:
        frame.color_trc = frame.color_primaries = UNSPECIFIED
        return ""
    frame.color_primaries = ColorPrimaries.BT2020
    if frame.color_trc not in HDR:
        frame.color_trc = ColorTrc.BT709
    if is_yuv and frame.colorspace == UNSPECIFIED:
        frame.colorspace = BT2020_MATRIX
    return TO_SDR
