import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis.decode import ImageLimits, decode, open_picture
from analysis.errors import ServiceError, TooLargeError
from bench.inputs.bombs import png
from engines.types import U8
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, read

LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=2_000_000)
SMALL = np.asarray(Image.fromarray(read(HOPPER_FILE)).resize((128, 150), Image.Resampling.BOX))


def close(a: U8, b: U8, most: float = 6) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b.astype(int)).mean()) < most


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_every_format_gives_the_same_picture(kind: str) -> None:
    assert close(decode(encode(SMALL, kind), LIMITS), SMALL)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    stored = {
        1: SMALL,
        2: SMALL[:, ::-1],
        3: SMALL[::-1, ::-1],
        4: SMALL[::-1],
        5: SMALL.transpose(1, 0, 2),
        6: np.rot90(SMALL, 1),
        7: SMALL[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(SMALL, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored), kind, exif=exif.tobytes())
    assert close(decode(data, LIMITS), SMALL)


def test_grey_palette_and_cmyk_come_out_as_rgb() -> None:
    picture = Image.fromarray(SMALL)
    grey = np.repeat(np.asarray(picture.convert("L"))[:, :, None], 3, axis=2)
    assert close(decode(saved(picture.convert("L"), "PNG"), LIMITS), grey)
    assert close(decode(saved(picture.convert("1"), "PNG"), LIMITS), grey, most=130)
    assert close(decode(saved(picture.quantize(), "PNG"), LIMITS), SMALL, most=12)
    assert close(decode(saved(picture.convert("CMYK"), "JPEG"), LIMITS), SMALL)


def test_sixteen_bit_grey_keeps_its_high_byte() -> None:
    values = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    pixels = decode(saved(Image.fromarray(values), "PNG"), LIMITS)
    assert np.array_equal(pixels[:, :, 0], (values >> 8).astype(np.uint8))


def test_sixteen_bit_rgb() -> None:
    pixels = decode(png(2, 1, b"\x00" + b"\x80\x00" * 6, depth=16), LIMITS)
    assert pixels.tolist() == [[[128, 128, 128]] * 2]


def test_transparency_is_laid_on_white() -> None:
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (decode(saved(Image.fromarray(clear), "PNG"), LIMITS) == 255).all()
    assert (decode(saved(Image.fromarray(clear), "WEBP", lossless=True), LIMITS) == 255).all()


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode(data, LIMITS)[0, 0, 0] > 200


def test_an_image_with_too_many_bytes_is_rejected() -> None:
    with pytest.raises(TooLargeError, match="bytes"):
        decode(b"\xff\xd8\xff" + b"\0" * LIMITS.max_bytes, LIMITS)


@given(st.data())
def test_mutated_files_give_pixels_or_a_typed_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "BMP"]))
    content = bytearray(encode(SMALL[::3, ::3], kind))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = decode(bytes(content), LIMITS)
    except ServiceError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3


def test_a_photograph_decodes_to_the_pixels_of_pillow() -> None:
    assert np.array_equal(decode(ASTRONAUT_FILE.read_bytes(), LIMITS), read(ASTRONAUT_FILE))


@pytest.mark.parametrize(
    ("size", "eighths"),
    [((639, 400), 8), ((1279, 300), 8), ((1280, 720), 4), ((1920, 1080), 4), ((900, 4000), 2)],
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_small_but_never_below_what_is_needed(
    size: tuple[int, int], eighths: int, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    large = Image.fromarray(SMALL).resize(size)
    limits = ImageLimits(max_bytes=4 << 20, max_pixels=4_000_000)
    data = saved(large, "JPEG", exif=exif.tobytes(), quality=90)
    picture = open_picture(data, limits, 640)
    whole = decode(data, limits)
    assert (picture.height, picture.width) == whole.shape[:2]
    assert picture.reduced == (eighths < 8)
    height, width = picture.pixels.shape[:2]
    assert max(height, width) >= min(640, max(size))
    assert height == pytest.approx(whole.shape[0] * eighths / 8, abs=1)
    shrunk = Image.fromarray(whole).resize((width, height), Image.Resampling.BOX)
    assert close(picture.pixels, np.asarray(shrunk), most=3)


def test_other_formats_are_decoded_whole() -> None:
    picture = open_picture(encode(np.tile(SMALL, (5, 10, 1)), "PNG"), LIMITS, 640)
    assert not picture.reduced
