"""Which decoder of JPEGs a device process uses."""

import importlib
import logging

import numpy as np
import simplejpeg

from analysis.jpegs.nvimagecodec import INSTALL, NvImageCodec, installed, missing
from analysis.jpegs.types import BatchDecoder
from engines.errors import EngineError, GpuMissingError

log = logging.getLogger("emotions.device")
DECODERS = ("nvimagecodec",)
# Sides of images. The first is larger than the smallest that a hardware decoder accepts. The pixels
# of the second take 50 MB.
PROBE, LARGE_PROBE = 256, 4096


def check(name: str) -> None:
    """Check the name of a decoder, without loading its library.

    Raises:
        EngineError: there is no such decoder, or its library is not installed.
    """
    if name not in DECODERS and name.count(":") != 2:
        raise EngineError(f"no JPEG decoder {name!r}; there are: cpu, {', '.join(DECODERS)}")
    if name in DECODERS and not installed():
        raise missing()


def load_decoder(name: str) -> BatchDecoder:
    """Return the decoder `name`, after it has decoded an image.

    A name like "package.module:factory:argument" stands for the decoder `factory(argument)`.

    Raises:
        EngineError: there is no such decoder, its library or GPU is missing, or it decodes nothing.
        GpuMemoryError, MemoryError: it finds no memory.
    """
    decoder = _load(name)
    # A decoder that finds no memory for its own buffers may decode nothing, as one without its
    # libraries. The large image then finds no memory either, which is an error.
    if _decodes(decoder, PROBE) or _decodes(decoder, LARGE_PROBE):
        return decoder
    raise GpuMissingError(
        f"the JPEG decoder {name} decodes nothing: its libraries for the GPU may be missing; "
        f"{INSTALL}, or set EMOTIONS_JPEG_DECODER=cpu"
    )


def works(decoder: BatchDecoder) -> bool:
    """Return whether a decoder decodes a small image."""
    try:
        return _decodes(decoder, PROBE)
    except Exception as error:
        log.debug("a JPEG decoder failed: %s", error)
        return False


def _decodes(decoder: BatchDecoder, side: int) -> bool:
    probe = simplejpeg.encode_jpeg(np.zeros((side, side, 3), np.uint8))
    (pixels,) = decoder.decode([np.frombuffer(probe, np.uint8)])
    return pixels is not None


def _load(name: str) -> BatchDecoder:
    check(name)
    if name in DECODERS:
        return NvImageCodec()
    module, factory, argument = name.split(":")
    made: BatchDecoder = getattr(importlib.import_module(module), factory)(argument)
    return made
