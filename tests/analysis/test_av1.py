"""The sizes in AV1 data, and where an AVIF has its data."""

import struct

import pytest
from PIL import Image

from analysis.containers import av1, heif
from analysis.containers.items import payloads
from analysis.errors import CorruptImageError, TooLargeError
from bench.inputs.corpus import HEIGHT, WIDTH, images
from bench.inputs.photos import box
from bench.inputs.saving import saved

SIZE = f"{9:04b}{9:04b}{639:010b}{479:010b}"
POINT = f"{0:012b}{8:05b}1"  # an operating point of a level with a tier
HEADERS = {
    "still": "00011" + "00000" + SIZE,
    "plain": "00000" + "0" + "0" + f"{0:05b}" + POINT + SIZE,
    "two points, display delays": "00000" + "0" + "1" + f"{1:05b}" + 2 * (POINT + "10101") + SIZE,
    "timing": "00000" + "1" + "0" * 64 + "0" + "0" + "0" + f"{0:05b}" + POINT + SIZE,
    "decoder model": "00000" + "1" + "0" * 64 + "1" + "001" + "11" + "1" + f"{2:05b}" + "1" * 42
    + "0" + f"{0:05b}" + POINT + "1" + "1" * 7 + SIZE,
}  # fmt: skip


def unit(bits: str, kind: int = 1) -> bytes:
    """An open bitstream unit with its size."""
    bits += "0" * (-len(bits) % 8)
    return bytes([kind << 3 | 2, len(bits) // 8]) + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize("name", HEADERS)
def test_sequence_headers_of_all_forms(name: str) -> None:
    assert [*av1.sizes([unit("1", kind=2) + unit(HEADERS[name])])] == [(640, 480)]
    extended = b"\x0c\0" + unit(HEADERS[name])[2:]  # with an extension, and no size
    assert [*av1.sizes([extended])] == [(640, 480)]


@pytest.mark.parametrize("name", HEADERS)
def test_a_cut_sequence_header_is_no_header(name: str) -> None:
    with pytest.raises(EOFError):
        [*av1.sizes([unit(HEADERS[name][:-16])])]


def meta(version: int, places: list[list[tuple[int, int]]], method: int = 0) -> bytes:
    """The content of a box `meta`: items by their extents, and a box `idat`."""
    wide = "I" if version == 2 else "H"
    table = struct.pack(f">B3xBB{wide}", version, 0x44, 0x00, len(places))
    for extents in places:
        table += struct.pack(">" + wide, 1)
        table += struct.pack(">H", method) if version else b""
        table += struct.pack(">HH", 0, len(extents))
        table += b"".join(struct.pack(">II", *extent) for extent in extents)
    return box(b"iloc", table) + box(b"idat", b"in idat, and more")


@pytest.mark.parametrize("version", [0, 1, 2])
def test_items_are_found_in_all_versions_of_their_table(version: int) -> None:
    data = b"0123456789"
    places = [[(1, 2)], [(5, 1), (3, 1)], [(1, 2)]]
    assert [*payloads(data, meta(version, places))] == [b"12", b"53"]
    if version:
        assert [*payloads(data, meta(version, [[(3, 4)]], method=1))] == [b"idat"]
        with pytest.raises(EOFError):
            [*payloads(data, meta(version, [[(3, 4)]], method=2))]


def test_a_table_costs_no_more_than_the_file() -> None:
    with pytest.raises(CorruptImageError, match="overlap"):
        [*payloads(bytes(100), meta(1, [[(each, 60)] for each in range(3)]))]
    with pytest.raises(TooLargeError, match="16,384 parts"):
        [*payloads(bytes(100), meta(1, [[]] * 20_000))]


def test_only_the_still_image_of_an_animation_is_decoded() -> None:
    found = heif.avif(images()["AVIF, animated"])
    assert found.size == (WIDTH, HEIGHT)
    assert b"moov" not in found.data
    assert b"avis" not in found.data


def test_the_size_is_that_of_the_data_if_the_header_claims_less() -> None:
    data = saved(Image.new("L", (300, 200)), "AVIF")
    at = data.index(b"ispe") + 8
    assert heif.avif(data[:at] + struct.pack(">II", 64, 64) + data[at + 8 :]).size == (300, 200)
