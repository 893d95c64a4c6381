"""Turned and mirrored videos are upright, as in ffmpeg."""

from pathlib import Path
from typing import NamedTuple

import av
import pytest
from PIL import Image

from tests.cases import Case
from tests.offline.video.ffmpeg import (
    AS_FFMPEG,
    CLOSE,
    HEIGHT,
    PORTRAIT,
    WIDTH,
    X264,
    YUV,
    difference,
    ffmpeg,
    shown,
    shown_by_ffmpeg,
    video,
)


class Turn(NamedTuple):
    """A row, and the display matrix: degrees counterclockwise, then flips; or the matrix."""

    case: Case
    degrees: float
    mirrored: bool = False
    upside_down: bool = False


def turned(degrees: float, name: str, **flips: bool) -> Turn:
    return Turn(Case(f"`displaymatrix`: {name}", "upright", AS_FFMPEG), degrees, **flips)


TURNS = [
    turned(0, "none"),
    turned(90, "90°"),
    turned(180, "180°"),
    turned(270, "270°"),
    turned(0, "mirrored (-1, 0, 0, 1)", mirrored=True),
    turned(0, "upside down (1, 0, 0, -1)", upside_down=True),
    turned(90, "90°, mirrored", mirrored=True),
    turned(270, "270°, mirrored", mirrored=True),
    turned(30, "30°: black corners"),
    turned(200, "200°, mirrored", mirrored=True),
]


def with_matrix(path: Path, turn: Turn | tuple[int, ...]) -> Path:
    """Write the portrait with a display matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if isinstance(turn, Turn):
            stream.set_display_rotation(turn.degrees, turn.mirrored, turn.upside_down)
        else:
            stream.set_display_matrix(turn)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(PORTRAIT)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.case.input)
def test_turned_and_mirrored_videos_are_upright(turn: Turn, suffix: str, tmp_path: Path) -> None:
    path = with_matrix(tmp_path / f"turned.{suffix}", turn)
    (ours,), (theirs,) = shown(path), shown_by_ffmpeg(path)
    assert difference(ours, theirs) < CLOSE


def test_a_front_cameras_video_is_mirrored_but_not_turned(tmp_path: Path) -> None:
    mirror = (-1 << 16, 0, 0, 0, 1 << 16, 0, WIDTH << 16, 0, 1 << 30)
    (ours,) = shown(with_matrix(tmp_path / "mirror.mp4", mirror))
    assert difference(ours, PORTRAIT[:, ::-1]) < 5 * CLOSE


DEGENERATE = [
    Case(f"`displaymatrix`: {name}", "no crash", AS_FFMPEG)
    for name in ("zeros", "all bits set", "doubled")
]


@pytest.mark.parametrize(
    "matrix",
    [(0,) * 9, (-1,) * 9, (1 << 17, 0, 0, 0, 1 << 17, 0, 0, 0, 1 << 30)],
    ids=[case.input for case in DEGENERATE],
)
def test_a_degenerate_matrix_does_what_it_does_in_ffmpeg(
    matrix: tuple[int, ...], tmp_path: Path
) -> None:
    path = with_matrix(tmp_path / "odd.mkv", matrix)
    (ours,), (theirs,) = shown(path), shown_by_ffmpeg(path)
    assert difference(ours, theirs) < CLOSE


SEI = Case("display orientation in the H.264 stream, mirrored or not", "upright", AS_FFMPEG)


@pytest.mark.parametrize("flip", ["", ":flip=horizontal"])
def test_an_orientation_in_the_h264_stream_counts(flip: str, tmp_path: Path) -> None:
    path = video(tmp_path / "plain.mp4", *X264, *YUV)
    orientation = f"h264_metadata=display_orientation=insert:rotate=90{flip}"
    ffmpeg("-i", path, "-c", "copy", "-bsf:v", orientation, tmp_path / "sei.ts")
    ours, theirs = shown(tmp_path / "sei.ts"), shown_by_ffmpeg(tmp_path / "sei.ts")
    assert ours[0].shape == (WIDTH, HEIGHT, 3)
    assert difference(ours[0], theirs[0]) < CLOSE


EXIF = Case("EXIF orientation in MJPEG, all eight", "upright", AS_FFMPEG)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_in_an_mjpeg_video_counts(orientation: int, tmp_path: Path) -> None:
    still, path = tmp_path / "still.jpg", tmp_path / "exif.mov"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PORTRAIT).save(still, exif=exif)
    ffmpeg("-i", still, "-c", "copy", path)
    (ours,), (theirs,) = shown(path), shown_by_ffmpeg(path)
    assert difference(ours, theirs) < CLOSE


CASES = [*(turn.case for turn in TURNS), *DEGENERATE, SEI, EXIF]
