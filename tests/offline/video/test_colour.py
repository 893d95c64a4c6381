"""HDR videos are tone-mapped: they look like the picture that they were made of."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc
from hypothesis import example, given
from hypothesis import strategies as st

from engines.types import F64
from offline.video.colour import BT2020_MATRIX, HDR, TO_SDR, standard_colours
from offline.video.picture import Screen
from tests.cases import Case
from tests.offline.video.ffmpeg import HEIGHT, PORTRAIT, WIDTH, decode, difference, ffmpeg, shown

# ITU-R BT.2087: linear BT.709 to linear BT.2020.
TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])
WHITE = 203.0  # cd/m2, ITU-R BT.2408
PEAK = 1000.0


def pq(light: F64) -> F64:
    """ITU-R BT.2100: the inverse EOTF of PQ, of cd/m2."""
    y = (light / 10_000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375, np.float64)


def hlg(light: F64) -> F64:
    """ITU-R BT.2100: the inverse OOTF and the OETF of HLG, of cd/m2 on a display of `PEAK`."""
    shown = light / PEAK
    scene = shown * np.maximum(shown @ LUMINANCE, 1e-9)[..., None] ** (1 / 1.2 - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), high), np.float64)


def gamma(light: F64) -> F64:
    """SDR: ITU-R BT.1886."""
    return np.asarray((light / WHITE) ** (1 / 2.4), np.float64)


CURVES: dict[str, Callable[[F64], F64]] = {
    "smpte2084": pq,
    "arib-std-b67": hlg,
    "bt2020-10": gamma,
}


def wide(path: Path, transfer: str) -> Path:
    """Write the portrait in BT.2020 colours, and then four times as bright."""
    light = np.maximum((PORTRAIT / 255) ** 2.4 @ TO_BT2020.T, 0) * WHITE
    signal = np.clip(CURVES[transfer](np.stack([light, 4 * light])), 0, 1)
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc"
    ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{WIDTH}x{HEIGHT}", "-i", "-"),
        *("-vf", f"scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le,{tags}"),
        *("-c:v", "ffv1", path),
        data=(signal * 65535).round().astype("<u2").tobytes(),
    )
    return path


class Wide(NamedTuple):
    """A row, the transfer characteristic, and the difference without tone mapping."""

    case: Case
    transfer: str
    untouched: float


def tagged(transfer: str, name: str, untouched: float) -> Wide:
    happens = "as the SDR picture, within 5 grey levels; light above 203 cd/m2 is white"
    tags = f"`color_transfer={transfer}`, `color_primaries=bt2020`"
    return Wide(Case(f"{tags}: {name}", "tone-mapped", happens), transfer, untouched)


WIDE = [
    tagged("smpte2084", "PQ, HDR10", 30),
    tagged("arib-std-b67", "HLG", 15),
    tagged("bt2020-10", "UHD in SDR", 3.5),
]


@pytest.mark.parametrize("sample", WIDE, ids=lambda sample: sample.transfer)
def test_hdr_and_wide_gamut_look_like_sdr(sample: Wide, tmp_path: Path) -> None:
    path = wide(tmp_path / "wide.mkv", sample.transfer)
    (ours, bright), (frame, _) = shown(path), decode(path)
    assert difference(ours, PORTRAIT) < 5
    untouched = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    assert difference(untouched, PORTRAIT) > sample.untouched
    assert bright[PORTRAIT.min(axis=2) > 160].mean() > 245


UNTAGGED = Case(
    "`color_transfer=smpte2084`, the rest `unknown`", "tone-mapped", "BT.2020 is assumed"
)


def test_pq_without_other_tags_is_bt2020() -> None:
    frame = av.VideoFrame(16, 16, "yuv420p10le")
    frame.color_trc = ColorTrc.SMPTE2084
    assert standard_colours(frame) == TO_SDR
    assert (frame.color_primaries, frame.colorspace) == (ColorPrimaries.BT2020, BT2020_MATRIX)


ANY_TAGS = Case("any value of the colour fields, reserved ones included", "no crash", "a picture")
NOT_WIDE = st.integers(0, 18).filter(lambda value: value not in {*HDR, ColorPrimaries.BT2020})


@given(st.integers(0, 17), NOT_WIDE, NOT_WIDE, st.integers(0, 2))
@example(BT2020_MATRIX, 3, 3, 1)
def test_any_tags_give_a_picture(matrix: int, transfer: int, primaries: int, scale: int) -> None:
    frame = av.VideoFrame(24, 16, "yuv420p")
    frame.colorspace, frame.color_range = matrix, scale
    frame.color_trc, frame.color_primaries = transfer, primaries
    assert Screen().show(frame, Fraction(1)).shape == (16, 24, 3)


CASES = [*(sample.case for sample in WIDE), UNTAGGED, ANY_TAGS]
