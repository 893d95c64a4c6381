"""Converts the pixels of a decoder to RGB with 8 bits per sample."""

import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from analysis.containers.tiff import COLOURS
from engines.types import Array

# Full scales of wide samples. A file does not state its own: it is the least that none exceeds.
SCALES = (1.0, 255.0, 65535.0)


def rgb(image: Image.Image) -> Image.Image:
    """Convert to RGB of 8 bits; transparent pixels are blended with white, as in a browser."""
    negative = _is_negative(image)
    if image.mode.startswith("I;16"):  # convert() would clip it
        return _grey(np.asarray(image) >> 8, negative)
    if image.mode in {"I", "F"}:
        return _grey(_scaled(image), negative)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode == "La":  # Pillow converts it to LA only
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image.convert("RGB")


def _is_negative(image: Image.Image) -> bool:
    """Whether zero means white in a TIFF; Pillow inverts samples of up to 8 bits itself."""
    return isinstance(image, TiffImageFile) and image.tag_v2.get(COLOURS) == 0


def _from_lab(image: Image.Image) -> Image.Image:
    """Convert CIE L*a*b* under D50, TIFF's usual white."""
    lab, srgb = (ImageCms.createProfile(each) for each in ("LAB", "sRGB"))
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image)


def _grey(samples: Array, negative: bool) -> Image.Image:
    shades = samples.astype(np.uint8)
    return Image.fromarray(255 - shades if negative else shades).convert("RGB")


def _scaled(image: Image.Image) -> Array:
    """Scale floats or wide integers to 0 to 255; negative and non-finite samples become 0."""
    samples = np.array(image, np.float32)
    samples[~np.isfinite(samples)] = 0
    samples.clip(0, None, out=samples)
    most = float(samples.max())
    samples *= 255 / next((each for each in SCALES if most <= each), most)
    return samples
