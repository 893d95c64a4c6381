"""Pictures of videos are those that ffmpeg shows."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from offline.video.picture import Screen
from offline.video.writing import open_video
from tests.cases import Case
from tests.offline.video.ffmpeg import (
    AS_FFMPEG,
    CLOSE,
    PORTRAIT,
    X264,
    YUV,
    decode,
    difference,
    shown,
    shown_by_ffmpeg,
    video,
)

HORIZONTAL_ALPHA = "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a=X"


class Sample(NamedTuple):
    """A row, and how ffmpeg makes the video."""

    case: Case
    file: str
    arguments: tuple[str, ...]


def coded(file: str, name: str, *arguments: str) -> Sample:
    return Sample(Case(name, "the colours of the picture", AS_FFMPEG), file, arguments)


COLOURS = [
    *(
        coded(
            f"{matrix}-{scale}.mp4",
            f"`color_space={matrix}`, `color_range={scale}`",
            *("-vf", f"scale=out_color_matrix={matrix}:out_range={scale}", *X264, *YUV),
            *("-colorspace", matrix, "-color_range", scale),
        )
        for matrix, scale in (
            ("bt709", "tv"),
            ("bt709", "pc"),
            ("smpte170m", "tv"),
            ("smpte170m", "pc"),
            ("bt470bg", "tv"),
            ("smpte240m", "tv"),
            ("fcc", "tv"),
        )
    ),
    coded("unspecified.mp4", "`color_space=unknown`, SD: BT.601", *X264, *YUV),
    coded("hd.mp4", "`color_space=unknown`, HD", "-vf", "scale=1280:720", *X264, *YUV),
    coded(
        "reserved.mp4",
        "`color_space`, `color_transfer`, `color_primaries` = `reserved`",
        *(*X264, *YUV, "-bsf:v", "h264_metadata=colour_primaries=3:transfer_characteristics=3"),
    ),
    coded("rgb.mp4", "`pix_fmt=gbrp`", "-c:v", "libx264rgb"),
    coded("422.mp4", "`pix_fmt=yuv422p10le`", *X264, "-pix_fmt", "yuv422p10le"),
    coded("444.mp4", "`pix_fmt=yuv444p`", *X264, "-pix_fmt", "yuv444p"),
    coded("420.mkv", "`pix_fmt=yuv420p12le`", "-c:v", "ffv1", "-pix_fmt", "yuv420p12le"),
    coded("411.nut", "`pix_fmt=yuv411p` (DV)", "-c:v", "rawvideo", "-pix_fmt", "yuv411p"),
    coded("grey.mp4", "`pix_fmt=gray`", *X264, "-pix_fmt", "gray"),
    coded("grey16.mkv", "`pix_fmt=gray16le`", "-c:v", "ffv1", "-pix_fmt", "gray16le"),
    coded("mjpeg.avi", "`pix_fmt=yuvj420p` (MJPEG)", "-c:v", "mjpeg", "-q:v", "2"),
    coded("palette.gif", "`pix_fmt=pal8` (GIF)"),
    coded("png.mov", "`pix_fmt=rgb48be` (PNG)", "-c:v", "png", "-pix_fmt", "rgb48be"),
    coded("uyvy.mov", "`pix_fmt=uyvy422`", "-c:v", "rawvideo", "-pix_fmt", "uyvy422"),
    coded("p010.nut", "`pix_fmt=p010le`", "-c:v", "rawvideo", "-pix_fmt", "p010le"),
    coded("float.nut", "`pix_fmt=gbrpf32le`", "-c:v", "rawvideo", "-pix_fmt", "gbrpf32le"),
    coded("xyz.mov", "`pix_fmt=xyz12le` (cinema)", "-c:v", "libopenjpeg", "-pix_fmt", "xyz12le"),
    coded(
        "4444.mov",
        "`pix_fmt=yuva444p12le` (ProRes 4444): alpha is ignored",
        *("-vf", HORIZONTAL_ALPHA, "-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"),
    ),
    coded(
        "argb.mov",
        "`pix_fmt=argb` (QuickTime Animation): alpha is ignored",
        *("-vf", HORIZONTAL_ALPHA, "-c:v", "qtrle", "-pix_fmt", "argb"),
    ),
    coded(
        "grain.mp4",
        "`side_data: film grain` (AV1)",
        *("-c:v", "libsvtav1", "-svtav1-params", "film-grain=20", *YUV),
    ),
    coded(
        "cropped.mp4",
        "cropping in the stream (H.264: 128 lines, of which 120 are shown)",
        *X264,
        *YUV,
    ),
]


@pytest.mark.parametrize("sample", COLOURS, ids=lambda sample: sample.file)
def test_colours_are_those_of_ffmpeg(sample: Sample, tmp_path: Path) -> None:
    path = video(tmp_path / sample.file, *sample.arguments)
    ours, theirs = shown(path), shown_by_ffmpeg(path)
    assert len(ours) == len(theirs) > 0
    assert all(difference(a, b) < CLOSE for a, b in zip(ours, theirs, strict=True))


REFUSED = {
    pixels: Case(f"`pix_fmt={pixels}`: {name}", "an error", "an error; the other files are read")
    for pixels, name in (
        ("rgb96le", "swscale cannot convert it"),
        ("yaf32le", "swscale would end the process"),
        ("bayer_rggb8", "with an odd number of lines, swscale would end the process"),
    )
}


@pytest.mark.parametrize("pixels", REFUSED)
def test_a_format_that_cannot_be_converted_is_an_error(pixels: str) -> None:
    frame = av.VideoFrame(16, 5, pixels)
    with pytest.raises(av.error.FFmpegError):
        Screen().show(frame, Fraction(1))


class Beside(NamedTuple):
    """A row, the kind of side data in PyAV, and how ffmpeg makes the video."""

    case: Case
    kind: str
    file: str
    arguments: tuple[str, ...]


def beside(kind: str, name: str, file: str, *arguments: str) -> Beside:
    return Beside(Case(f"`side_data`: {name}", "harmless", AS_FFMPEG), kind, file, arguments)


MASTER = (
    "log-level=error:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)"
    "L(10000000,1):max-cll=1000,200"
)
X265 = ("-c:v", "libx265", *YUV, "-x265-params", MASTER)
SIDE_DATA = [
    beside("SEI_UNREGISTERED", "user data of x264", "sei.mp4", *X264, *YUV),
    beside("PANSCAN", "pan and scan", "pan.ts", "-c:v", "mpeg2video", *YUV),
    beside("MASTERING_DISPLAY_METADATA", "mastering display, of SDR", "master.mp4", *X265),
    beside("CONTENT_LIGHT_LEVEL", "content light level, of SDR", "light.mp4", *X265),
    beside("STEREO3D", "stereo 3D, side by side: as stored", "stereo.mkv",
           *X264, *YUV, "-metadata:s:v", "stereo_mode=left_right"),
]  # fmt: skip


@pytest.mark.parametrize("sample", SIDE_DATA, ids=lambda sample: sample.kind)
def test_other_side_data_is_harmless(sample: Beside, tmp_path: Path) -> None:
    path = video(tmp_path / sample.file, *sample.arguments)
    assert cast("Mapping[str, object]", decode(path)[0].side_data).get(sample.kind)
    ours, theirs = shown(path), shown_by_ffmpeg(path)
    assert all(difference(a, b) < CLOSE for a, b in zip(ours, theirs, strict=True))


COPY = Case("`video.mp4`", "the colours of the video", "SDR in BT.709, tagged as such")


def test_the_annotated_copy_states_its_colours(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    with open_video(path) as writer:
        writer.write(PORTRAIT, 0.0)
    (frame,), (theirs,) = decode(path), shown_by_ffmpeg(path)
    tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
    assert tags == (Colorspace.ITU709, ColorPrimaries.BT709, ColorTrc.BT709, ColorRange.MPEG)
    assert difference(theirs, PORTRAIT) < 6


CASES = [
    *(sample.case for sample in COLOURS),
    *REFUSED.values(),
    *(sample.case for sample in SIDE_DATA),
    COPY,
]
