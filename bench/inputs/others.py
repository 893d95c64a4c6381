"""Files of formats that the service does not read."""

from functools import cache

import numpy as np

from bench.inputs.corpus import images, pixels
from bench.inputs.photos import box, directory, tiff
from engines.types import Array


def raw() -> bytes:
    """A TIFF as cameras write it: a thumbnail, whose directory refers to that of the sensor."""
    thumbnail = tiff(pixels(), tags={254: 1, 330: 0})
    sensor = directory({256: 24, 257: 16, 262: 32803}, len(thumbnail))
    return tiff(pixels(), tags={254: 1, 330: len(thumbnail)}) + sensor


def ftyp(*brands: bytes) -> bytes:
    """The start of an ISO base media file, of the first brand and compatible with all."""
    return box(b"ftyp", brands[0] + bytes(4) + b"".join(brands)) + bytes(64)


def jpeg(frame: int, bits: int) -> bytes:
    """A JPEG whose frame has another type, or other samples."""
    data = bytearray(images()["JPEG"])
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = frame, bits
    return bytes(data)


def tga() -> bytes:
    """A TGA of 4 x 4 pixels without compression."""
    return b"\0\0\2" + bytes(9) + b"\4\0\4\0\x18\0" + bytes(48)


def grey(kind: str) -> Array:
    """Samples of this type."""
    return np.zeros((4, 4), kind)


@cache
def others() -> dict[str, bytes]:
    """Files of formats that are not read, by description."""
    return {
        "camera RAW (DNG)": tiff(pixels(), tags={50706: 0x0401}),
        "camera RAW (NEF, ARW)": raw(),
        "camera RAW (CR2)": b"II*\0\x10\0\0\0CR\2\0" + bytes(64),
        "camera RAW (CR3)": ftyp(b"crx ", b"isom"),
        "camera RAW (RAF, ORF, RW2)": b"FUJIFILMCCD-RAW 0201" + bytes(64),
        "TIFF, LZMA": tiff(pixels(), tags={259: 34925}),
        "TIFF, 64-bit samples": tiff(grey("f8"), tags={339: 3}),
        "TIFF, 16-bit floats": tiff(grey("f2"), tags={339: 3}),
        "TIFF, 32-bit unsigned grey": tiff(grey("u4")),
        "TIFF, 32-bit grey, big-endian, Deflate": tiff(grey("f4"), ">", tags={339: 3, 259: 8}),
        "TIFF, 12 bits": tiff(grey("u2"), tags={258: 12}),
        "TIFF, 10, 14 or 24 bits": tiff(grey("u4"), tags={258: 24}),
        "TIFF, signed samples": tiff(grey("i2"), tags={339: 2}),
        "TIFF, 16 bits, planes": tiff(np.zeros((3, 4, 4), np.uint16)),
        "JPEG, 12 bits": jpeg(0xC1, 12),
        "JPEG, lossless": jpeg(0xC3, 8),
        "JPEG-LS": jpeg(0xF7, 8),
        "HEIF, AVC or VVC": ftyp(b"avci", b"mif1"),
        "HEIC, a sequence alone": box(b"ftyp", b"hevc\0\0\0\0msf1") + box(b"moov", bytes(64)),
        "AVIF, a sequence alone": box(b"ftyp", b"avis\0\0\0\0msf1") + box(b"moov", bytes(64)),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(64),
        "JPEG XR": b"II\xbc\1" + bytes(64),
        "Photoshop": b"8BPS\0\1" + bytes(64),
        "icon": b"\0\0\1\0\1\0" + bytes(64),
        "icon (ICNS)": b"icns" + bytes(64),
        "TGA": tga(),
        "PCX": b"\n\5\1\x08" + bytes(124),
        "DDS": b"DDS \x7c" + bytes(123),
        "GIMP": b"gimp xcf v011\0" + bytes(64),
        "DICOM": bytes(128) + b"DICM" + bytes(64),
        "Netpbm": b"P6\n4 4\n255\n" + bytes(48),
        "QOI": b"qoif" + bytes(64),
        "OpenEXR, Radiance": b"v/1\1" + bytes(64),
        "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
        "PDF": b"%PDF-1.7\n",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "ZIP": b"PK\x03\x04" + bytes(64),
        "HTML": b"<!DOCTYPE html><html></html>",
        "base64 text": b"data:image/png;base64,iVBORw0KGgo=",
        "video (MP4, MOV)": ftyp(b"isom", b"avc1"),
        "video (Matroska, WebM)": b"\x1aE\xdf\xa3" + bytes(64),
        "video (AVI)": b"RIFF\0\0\0\0AVI LIST" + bytes(64),
        "video (MPEG-TS)": (b"G" + bytes(187)) * 3,
        "video (MXF)": b"\x06\x0e\x2b\x34" + bytes(64),
        "text": b"Hello, world",
        "text that begins with BM": b"BMW and Mercedes-Benz\n",
        "nothing": b"",
    }
