"""`emotions webcam` on a stream that stands in for a camera."""

import asyncio
import contextlib
import gc
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from analysis.document import ImageResult
from analysis.errors import InferenceError
from analysis.evaluation.fer2013 import LABELS
from offline import video
from offline.analyzers import RemoteError
from offline.webcam import newest, opened_as, record
from tests.photographs import ASTRONAUT_FILE, read

RATE, FRAMES = 25, 400
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that moves from left to right, as an MPEG transport stream."""
    path = tmp_path_factory.mktemp("live") / "clip.ts"
    face = cv2.resize(read(ASTRONAUT_FILE)[:300, 90:350], (208, 240))
    with video.writing(path) as writer:
        for i in range(FRAMES):
            frame = np.full((240, 320, 3), 90, np.uint8)
            frame[:, i // 4 : i // 4 + 208] = face
            writer.write(frame, i / RATE)
    return path


@pytest.fixture
def camera(clip: Path) -> Iterator[str]:
    """An address that sends what a reader needs to begin, and then frames in their time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_send, args=(listener, clip.read_bytes()), daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def _send(listener: socket.socket, data: bytes) -> None:
    peer, _ = listener.accept()
    with peer, contextlib.suppress(OSError):  # the reader has gone
        begin = len(data) // 2
        peer.sendall(data[:begin])
        for start in range(begin, len(data), 376):
            peer.sendall(data[start : start + 376])
            time.sleep(0.04)


class Networks:
    """In the place of a reader's: they see no face, and do what `then` does at the nth look."""

    labels: tuple[str, ...] = LABELS
    embeds = False
    same_person = 0.5

    def __init__(self, then: Callable[[int], None]) -> None:
        self.looks, self.then = 0, then

    async def read(self, name: str, data: bytes) -> tuple[ImageResult, None]:
        raise NotImplementedError

    async def look(self, name: str, image: NDArray[np.uint8]) -> ImageResult:
        self.looks += 1
        self.then(self.looks)
        height, width = image.shape[:2]
        return ImageResult(id=name, width=width, height=height, error=None, faces=[])


def recordings(out: Path) -> list[Path]:
    return list(out.iterdir())


def frames_of(out: Path) -> list[str]:
    """The rows of the one recording that there is, with its report and a film of as many frames."""
    (folder,) = recordings(out)
    rows = (folder / "frames.csv").read_text().splitlines()[1:]
    assert f"{len(rows)} frames" in (folder / "report.html").read_text()
    assert len(list(video.frames(folder / "video.mp4"))) == len(rows)
    return rows


def webcam(plans: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offline.cli", "webcam", *map(str, arguments)],
        env=os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_recording_ends_well_on_ctrl_c(plans: Path, camera: str, tmp_path: Path) -> None:
    process = webcam(plans, camera, "--out", tmp_path)
    while not any(tmp_path.glob(".staged-*/video.mp4")):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    (folder,) = tmp_path.iterdir()
    assert "<h2>Person" in (folder / "report.html").read_text()
    assert len((folder / "frames.csv").read_text().splitlines()) > 3


def test_lines_of_json_until_the_stream_ends(plans: Path, clip: Path) -> None:
    process = webcam(plans, clip)
    lines, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    results = [json.loads(line) for line in lines.splitlines()]
    numbers = [int(result["id"]) for result in results]
    assert numbers == sorted(set(numbers))
    assert any(result["faces"] for result in results)


def test_a_camera_that_is_not_there_is_told_in_a_sentence(plans: Path) -> None:
    process = webcam(plans, "/dev/video99")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "/dev/video99: the video cannot be decoded" in told
    assert "Traceback" not in told


async def test_a_camera_that_is_unplugged_leaves_its_recording(clip: Path, tmp_path: Path) -> None:
    pulled = threading.Event()

    def send(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.sendall(clip.read_bytes()[: clip.stat().st_size // 2])
        pulled.wait()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()  # and resets, as a router does that has lost the camera

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=send, args=(listener,), daemon=True).start()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        networks = Networks(lambda number: pulled.set())
        with pytest.raises(video.CorruptVideoError, match="reset"):
            await record(networks, address, tmp_path, threading.Event(), QUIET)
    assert len(frames_of(tmp_path)) == networks.looks


async def test_a_service_that_goes_away_leaves_what_it_answered(
    camera: str, tmp_path: Path
) -> None:
    def then(number: int) -> None:
        if number > 3:
            raise RemoteError("the service is gone")

    with pytest.raises(RemoteError, match="gone"):
        await record(Networks(then), camera, tmp_path, threading.Event(), QUIET)
    assert len(frames_of(tmp_path)) == 3


async def test_a_service_that_never_answers_leaves_nothing(
    camera: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def then(number: int) -> None:
        raise RemoteError(f"no answer to {number}")

    with pytest.raises(RemoteError, match="no answer to 1"):
        await record(Networks(then), camera, tmp_path, threading.Event(), QUIET)
    assert recordings(tmp_path) == []
    await asyncio.sleep(0.1)
    gc.collect()
    assert caplog.records == []  # of the other frame that was under way


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "watched"])
async def test_a_frame_that_fails_is_told_and_left_out(
    camera: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], recorded: bool
) -> None:
    stop, told = threading.Event(), io.StringIO()

    def then(number: int) -> None:
        if number == 5:
            stop.set()
        if number == 2:
            raise InferenceError("the engine failed")

    networks = Networks(then)
    await record(networks, camera, tmp_path if recorded else None, stop, Console(file=told))
    rows = frames_of(tmp_path) if recorded else capsysbinary.readouterr().out.splitlines()
    assert len(rows) == networks.looks - 1
    assert told.getvalue().count(": the engine failed") == 1


def test_frames_that_come_too_fast_are_dropped(clip: Path) -> None:
    numbers = []
    for frame in newest(str(clip), threading.Event()):
        numbers.append(frame.number)
        time.sleep(0.2)
    assert numbers == sorted(set(numbers))
    assert len(numbers) < FRAMES / 4
    assert numbers[-1] == FRAMES - 1


def test_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opened_as("rtsp://door")[3]["rtsp_transport"] == "tcp"
    assert opened_as("film.mp4")[2] is None
    monkeypatch.setattr(sys, "platform", "linux")
    assert opened_as("1")[::2] == ("/dev/video1", "v4l2")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert opened_as("1")[::2] == ("1", "avfoundation")
