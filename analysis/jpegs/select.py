"""Which decoder of JPEGs a device process uses."""

import importlib
import logging

import numpy as np
import simplejpeg

from analysis.jpegs.nvimagecodec import NvImageCodec, installed, missing
from analysis.jpegs.types import BatchDecoder
from engines.errors import EngineError, GpuMissingError

log = logging.getLogger("emotions.device")
DECODERS = ("nvimagecodec",)
# Larger than the smallest image that a hardware decoder accepts.
PROBE = 256


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
    """
    decoder = _load(name)
    if not works(decoder):
        raise GpuMissingError(
            f"the JPEG decoder {name} decodes nothing: its libraries for the GPU may be missing; "
            "`pip install '.[gpu]'`, or set EMOTIONS_JPEG_DECODER=cpu"
        )
    return decoder


def works(decoder: BatchDecoder) -> bool:
    """Return whether a decoder decodes a small image."""
    probe = simplejpeg.encode_jpeg(np.zeros((PROBE, PROBE, 3), np.uint8))
    try:
        (pixels,) = decoder.decode([np.frombuffer(probe, np.uint8)])
    except Exception as error:
        log.debug("a JPEG decoder failed: %s", error)
        return False
    return pixels is not None


def _load(name: str) -> BatchDecoder:
    check(name)
    if name in DECODERS:
        return NvImageCodec()
    module, factory, argument = name.split(":")
    made: BatchDecoder = getattr(importlib.import_module(module), factory)(argument)
    return made
