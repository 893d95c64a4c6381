"""Videos of a moving test picture, made by ffmpeg, and how many of their frames it decodes."""

from pathlib import Path

from tests.offline.video.ffmpeg import ffmpeg

RATE, SECONDS = 25, 2
FRAMES = RATE * SECONDS
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25"
MPEG2 = "-c:v mpeg2video -b:v 2M -bf 2"


def picture(seconds: float = SECONDS, rate: str = str(RATE)) -> tuple[str, ...]:
    """The input of ffmpeg: a test picture that moves, with noise."""
    source = f"testsrc2=size=160x120:rate={rate}:duration={seconds},noise=alls=12:allf=t"
    return "-f", "lavfi", "-i", source


def make(path: Path, options: str, *, seconds: float = SECONDS, rate: str = str(RATE)) -> Path:
    ffmpeg(*picture(seconds, rate), *options.split(), path)
    return path


def decoded_by_ffmpeg(path: Path) -> int:
    """Return how many frames of the first video stream ffmpeg decodes."""
    crcs = ("-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framecrc", "-")
    lines = ffmpeg("-v", "quiet", "-i", path, *crcs).decode().splitlines()
    return sum(not line.startswith("#") for line in lines)
