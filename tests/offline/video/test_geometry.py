"""Pixels are square, and all pictures of a video have one size."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cases import Case
from tests.offline.video.ffmpeg import HEIGHT, WIDTH, X264, YUV, decode, ffmpeg, shown, video


class Aspect(NamedTuple):
    """A row, the shape of a pixel, and the width of the picture."""

    case: Case
    pixel: str
    width: int


def pixels(name: str, pixel: str, width: int) -> Aspect:
    happens = f"{WIDTH}x{HEIGHT} is shown and analyzed as {width}x{HEIGHT}"
    return Aspect(
        Case(f"`sample_aspect_ratio={pixel}`{name}", "as players show it", happens), pixel, width
    )


ASPECTS = [
    pixels(" (PAL 16:9)", "64:45", 228),
    pixels(" (anamorphic HD)", "4:3", 213),
    pixels(" (NTSC 4:3)", "8:9", 142),
    pixels(" (half the width)", "2:1", 320),
    pixels(", a mistake", "1000:1", 160),
]
CODECS = {
    "mp4": ("libx264", "yuv420p"),
    "mkv": ("ffv1", "yuv420p"),
    "mov": ("prores_ks", "yuv422p10le"),
}


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("aspect", ASPECTS, ids=lambda aspect: aspect.pixel)
def test_pixels_are_square(aspect: Aspect, suffix: str, tmp_path: Path) -> None:
    codec, colours = CODECS[suffix]
    sar = f"setsar={aspect.pixel.replace(':', '/')}"
    path = video(tmp_path / f"wide.{suffix}", "-vf", sar, "-c:v", codec, "-pix_fmt", colours)
    assert {image.shape for image in shown(path)} == {(HEIGHT, aspect.width, 3)}


CONFLICT = Case(
    "`sample_aspect_ratio` differs between container and codec",
    "as players show it",
    "the container's counts",
)


def test_the_containers_shape_of_pixels_counts(tmp_path: Path) -> None:
    coded = video(tmp_path / "coded.mp4", "-vf", "setsar=8/9", *X264, *YUV)
    ffmpeg("-i", coded, "-c", "copy", "-aspect", "2:1", tmp_path / "stated.mp4")
    assert shown(tmp_path / "stated.mp4")[0].shape == (HEIGHT, 2 * HEIGHT, 3)


def joined(path: Path, *parts: tuple[str, ...]) -> Path:
    """Write broadcasts one after the other into one file, each made with other arguments."""
    files = [video(path.with_name(f"{i}.ts"), *part) for i, part in enumerate(parts)]
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    return path


H264: tuple[str, ...] = (*X264, *YUV)
CHANGES = {
    "`width`, `height`": (H264, ("-vf", "scale=240:100", *H264), ("-vf", "scale=80:120", *H264)),
    "`sample_aspect_ratio`": (
        ("-aspect", "4:3", "-c:v", "mpeg2video", *YUV),
        ("-aspect", "16:9", "-c:v", "mpeg2video", *YUV),
    ),
    "`pix_fmt`": (H264, (*X264, "-pix_fmt", "yuv422p10le")),
    "`color_space`": (H264, (*H264, "-colorspace", "bt709")),
}
CHANGED = [
    Case(
        f"{name} changes in mid-stream",
        "no crash, no squeezed face",
        "every frame is read; it is fitted into the first frame's size, with black margins",
    )
    for name in CHANGES
]


@pytest.mark.parametrize("parts", CHANGES.values(), ids=CHANGES)
def test_a_stream_may_change(parts: tuple[tuple[str, ...], ...], tmp_path: Path) -> None:
    path = joined(tmp_path / "joined.ts", *parts)
    ours = shown(path)
    assert len(ours) == len(decode(path)) == 2 * len(parts)
    assert {image.shape for image in ours} == {ours[0].shape}


def test_a_smaller_frame_keeps_its_proportions(tmp_path: Path) -> None:
    path = joined(tmp_path / "joined.ts", H264, ("-vf", "scale=80:120", *H264))
    last = shown(path)[-1]
    assert last[:, :30].max() < 10
    assert last[:, 45:115].mean() > 50


def test_a_broadcast_may_change_its_shape_of_pixels(tmp_path: Path) -> None:
    first, *_, last = shown(joined(tmp_path / "joined.ts", *CHANGES["`sample_aspect_ratio`"]))
    assert first[:3].max() > 100
    assert last[:3].max() < 10  # a margin above 16:9 in the size of 4:3


CASES = [*(aspect.case for aspect in ASPECTS), CONFLICT, *CHANGED]
