"""`emotions webcam` on a stream that stands in for a camera."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from service import video
from service.live import newest, opened_as
from tests.photographs import ASTRONAUT_FILE, read

RATE, FRAMES = 25, 400


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


def webcam(plans: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "service", "webcam", *map(str, arguments)],
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
