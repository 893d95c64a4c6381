"""FFmpeg's program, which makes videos and is the measure of how they look."""

import io
import subprocess
from itertools import chain
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from engines.types import U8
from offline.video.picture import Converter
from offline.video.streams import choose_stream
from tests.photographs import ASTRONAUT_FILE, read

PROGRAM = imageio_ffmpeg.get_ffmpeg_exe()
# The astronaut's face and shoulders; both sides are even, and it is wider than high.
PORTRAIT: U8 = read(ASTRONAUT_FILE)[16:256:2, 64:384:2]
HEIGHT, WIDTH = PORTRAIT.shape[:2]
STILL = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", "10", "-i", "-")
# Grey levels between what we and ffmpeg make of a frame; two versions of FFmpeg may round.
CLOSE = 1.0
AS_FFMPEG = "as ffmpeg shows it, to a grey level"
X264 = ("-c:v", "libx264", "-crf", "10")
YUV = ("-pix_fmt", "yuv420p")


def ffmpeg(*arguments: object, data: bytes = b"") -> bytes:
    """Run ffmpeg; return what it writes to standard output."""
    command = [PROGRAM, "-v", "error", "-y", *map(str, arguments)]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def video(path: Path, *arguments: object, frames: int = 2, image: U8 = PORTRAIT) -> Path:
    """Write a video that shows an image of the portrait's size."""
    ffmpeg(*STILL, *arguments, path, data=image.tobytes() * frames)
    return path


def decode(path: Path) -> list[av.VideoFrame]:
    """Return the frames as the decoder gives them."""
    with av.open(str(path)) as container:
        return list(container.decode(choose_stream(container)))


def shown(path: Path) -> list[U8]:
    """Return the pictures of a video, as they are analyzed."""
    with av.open(str(path)) as container:
        stream = choose_stream(container)
        converter = Converter(stream)
        return [
            ready.image()
            for frame in chain(container.decode(stream), (None,))
            for ready in converter.push(frame)
        ]


def shown_by_ffmpeg(path: Path, filters: str = "null") -> list[U8]:
    """Return the pictures that ffmpeg writes."""
    pictures = ("-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24")
    data = io.BytesIO(ffmpeg("-i", path, "-vf", filters, *pictures, "-"))
    images = []
    while data.readline():
        width, height = map(int, data.readline().split())
        data.readline()
        pixels = np.frombuffer(data.read(width * height * 3), np.uint8)
        images.append(pixels.reshape(height, width, 3))
    return images


def difference(a: U8, b: U8) -> float:
    """Mean absolute difference of two pictures of one size."""
    assert a.shape == b.shape
    return float(np.abs(a.astype(np.int16) - b).mean())
