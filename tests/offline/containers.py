"""Short videos and sounds in the containers that phones and broadcasters use, made by ffmpeg."""

import subprocess
from pathlib import Path

import imageio_ffmpeg

SECONDS = "0.2"
PICTURE = ("-f", "lavfi", "-i", f"testsrc=size=176x144:rate=25:duration={SECONDS}")
SOUND = ("-f", "lavfi", "-i", f"sine=duration={SECONDS}")


def make(path: Path, options: str) -> bytes:
    """Write a file with a test picture and a tone, and return its bytes."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *PICTURE, *SOUND]
    subprocess.run([*command, *options.split(), str(path)], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()
