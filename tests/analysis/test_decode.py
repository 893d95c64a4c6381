import struct
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from analysis import plugins, sanitize
from analysis.decode import decode, open_picture
from analysis.errors import (
    CorruptImageError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from analysis.limits import ImageLimits
from bench.inputs.bombs import png
from bench.inputs.photos import tiff
from bench.inputs.saving import saved
from engines.types import U8
from tests.analysis.pictures import at
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, read

LIMITS = ImageLimits(max_bytes=4 << 20, max_pixels=2_000_000)
# Pillow's names.
KINDS = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIF", "AVIF", "JXL"]
ORIENTED = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"]
for kind in ("HEIC", "AVIF", "JPEG XL"):
    plugins.load(kind)
SMALL = np.asarray(Image.fromarray(read(HOPPER_FILE)).resize((128, 150), Image.Resampling.BOX))


def close(a: U8, b: U8, most: float = 6) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b.astype(int)).mean()) < most


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_picture(kind: str) -> None:
    assert close(decode(encode(SMALL, kind), LIMITS), SMALL, most=8)


def as_camera_stores(orientation: int) -> U8:
    """`SMALL` as a camera stores it."""
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
    return np.ascontiguousarray(stored)


def exif_of(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("kind", ORIENTED)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(kind: str, orientation: int) -> None:
    """Pillow writes it into the container of HEIC and AVIF."""
    data = encode(as_camera_stores(orientation), kind, exif=exif_of(orientation))
    assert close(decode(data, LIMITS), SMALL)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_a_jpeg_xl_is_that_of_its_codestream(orientation: int) -> None:
    plain = encode(as_camera_stores(orientation), "JXL", exif=exif_of(3), use_container=True)
    data = with_orientation(sanitize.read(plain).data, orientation)
    assert close(decode(data, LIMITS), SMALL)


def with_orientation(codestream: bytes, orientation: int) -> bytes:
    """Write out the metadata of a JPEG XL that has only default values (ISO 18181-1, D.4)."""
    bits = "".join(f"{byte:08b}"[::-1] for byte in codestream[2:10])
    size = 1 + 2 + 9 + 3 + 2 + 9  # two sides of nine bits, and no ratio
    assert bits[size] == "1"
    turn = f"{orientation - 1:03b}"[::-1]
    fields = f"01{turn}000" + "000" + "1" + "00" + "1" + "1" + "1" + "00"
    head = bits[:size] + fields + bits[size + 1]
    head += "0" * (-len(head) % 8)
    begin = -(-(size + 2) // 8)
    packed = bytes(int(head[at : at + 8][::-1], 2) for at in range(0, len(head), 8))
    return codestream[:2] + packed + codestream[2 + begin :]


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_exif_turns_no_image_whose_container_does(kind: str) -> None:
    """As all viewers do: phones write both, and only the container counts."""
    entry = struct.pack(">HIH", 3, 1, 6)  # one short number, 6
    exif = Image.Exif()
    exif[0x0103] = 6
    plain = encode(SMALL, kind, exif=exif.tobytes())
    assert plain.count(b"\x01\x03" + entry) == 1
    misleading = plain.replace(b"\x01\x03" + entry, b"\x01\x12" + entry)
    assert close(decode(misleading, LIMITS), SMALL)


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
    for kind in ("PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF", "JXL"):
        assert (decode(saved(Image.fromarray(clear), kind), LIMITS) == 255).all(), kind


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode(data, LIMITS)[0, 0, 0] > 200


def test_an_image_with_too_many_bytes_is_rejected() -> None:
    with pytest.raises(TooLargeError, match="bytes"):
        decode(b"\xff\xd8\xff" + b"\0" * LIMITS.max_bytes, LIMITS)


@cache
def small_file(kind: str) -> bytes:
    return encode(SMALL[::3, ::3], kind)


@given(st.data())
def test_mutated_files_give_pixels_or_a_typed_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    content = bytearray(small_file(kind))
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
    picture = open_picture(data, limits, at(640))
    whole = decode(data, limits)
    assert (picture.height, picture.width) == whole.shape[:2]
    assert picture.reduced == (eighths < 8)
    height, width = picture.pixels.shape[:2]
    assert max(height, width) >= min(640, max(size))
    assert height == pytest.approx(whole.shape[0] * eighths / 8, abs=1)
    shrunk = Image.fromarray(whole).resize((width, height), Image.Resampling.BOX)
    assert close(picture.pixels, np.asarray(shrunk), most=3)


def test_a_decoder_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins.load.cache_clear()
    for kind, package in (("HEIF", "pillow_heif"), ("JXL", "pillow_jxl")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(UnsupportedMediaTypeError, match=r"pip install '\.\[photos\]'"):
            decode(encode(SMALL, kind), LIMITS)
    monkeypatch.undo()
    plugins.load.cache_clear()


def test_a_panic_of_a_decoder_is_a_damaged_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyO3, with which the decoder of JPEG XL is bound, raises panics as BaseException."""
    data = encode(SMALL, "JXL")

    def panics() -> str:
        raise BaseException("index out of bounds")

    plugins.load.cache_clear()
    monkeypatch.setitem(plugins.LOADERS, "JPEG XL", panics)
    with pytest.raises(CorruptImageError, match="cannot be decoded"):
        decode(data, LIMITS)


@pytest.mark.parametrize(("kind", "brand"), [("HEIF", b"heic"), ("AVIF", b"avif")])
@pytest.mark.parametrize("major", [b"miaf", b"mif1", b"mif2", b"MiHB"])
def test_a_compatible_brand_suffices(kind: str, brand: bytes, major: bytes) -> None:
    data = encode(SMALL, kind)
    found = decode(data[:8] + major + data[12:16] + brand + data[20:], LIMITS)
    assert close(found, SMALL, most=8)


def test_samples_of_unusual_kinds_are_scaled_by_the_least_full_scale() -> None:
    for samples in (
        np.array([[0, 0.5, 1]], np.float32),
        np.array([[0, 128, 255]], np.float32),
        np.array([[0, 32768, 65535]], np.int32),
    ):
        pixels = decode(saved(Image.fromarray(samples), "TIFF"), LIMITS)
        assert pixels[0, :, 0].tolist() in ([0, 127, 255], [0, 128, 255])
    nothing = np.array([[np.nan, np.inf, -3e38]], np.float32)
    assert decode(saved(Image.fromarray(nothing), "TIFF"), LIMITS).max() == 0


def test_a_tiff_that_pillow_cannot_read_is_not_called_damaged() -> None:
    """It is whole; floats of 64 bits are for science."""
    with pytest.raises(UnsupportedMediaTypeError, match="TIFF image with unusual samples"):
        decode(tiff(np.zeros((2, 2)), tags={339: 3}), LIMITS)


def test_the_first_page_of_full_size_counts() -> None:
    page, thumbnail = (np.full((4, 4, 3), value, np.uint8) for value in (200, 10))
    first = tiff(thumbnail, tags={254: 1})
    second = tiff(page, start=len(first))
    (at,) = struct.unpack_from("<I", second, 4)
    assert (decode(tiff(thumbnail, tags={254: 1}, then=at) + second, LIMITS) == 200).all()
    assert (decode(first, LIMITS) == 10).all()


def test_other_formats_are_decoded_whole() -> None:
    picture = open_picture(encode(np.tile(SMALL, (5, 10, 1)), "PNG"), LIMITS, at(640))
    assert not picture.reduced
