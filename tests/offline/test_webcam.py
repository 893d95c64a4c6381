"""`emotions webcam` on a stream in the place of a camera."""

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
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from analysis.errors import InferenceError
from offline.cli.main import app
from offline.errors import CameraError, RemoteError
from offline.video.camera import input_of, newest_frames
from offline.video.reading import read_frames
from offline.video.writing import open_video
from offline.webcam import record
from tests.offline.helpers import FakeAnalyzer
from tests.photographs import ASTRONAUT_FILE, read

RATE, FRAMES = 25, 400
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that moves from left to right, as an MPEG transport stream."""
    path = tmp_path_factory.mktemp("live") / "clip.ts"
    face = cv2.resize(read(ASTRONAUT_FILE)[:300, 90:350], (208, 240))
    with open_video(path) as writer:
        for i in range(FRAMES):
            frame = np.full((240, 320, 3), 90, np.uint8)
            frame[:, i // 4 : i // 4 + 208] = face
            writer.write(frame, i / RATE)
    return path


@pytest.fixture
def camera(clip: Path) -> Iterator[str]:
    """An address that sends half of the clip at once, and then the frames at their times."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_send, args=(listener, clip.read_bytes()), daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def _send(listener: socket.socket, data: bytes) -> None:
    peer, _ = listener.accept()
    with peer, contextlib.suppress(OSError):  # the reader has disconnected
        begin = len(data) // 2
        peer.sendall(data[:begin])
        for start in range(begin, len(data), 376):
            peer.sendall(data[start : start + 376])
            time.sleep(0.04)


def recordings(out: Path) -> list[Path]:
    return list(out.iterdir())


def frames_of(out: Path) -> list[str]:
    """The rows of the only recording, with its report and a video of as many frames."""
    (folder,) = recordings(out)
    rows = (folder / "frames.csv").read_text().splitlines()[1:]
    assert f"{len(rows)} frames" in (folder / "report.html").read_text()
    assert len(list(read_frames(folder / "video.mp4"))) == len(rows)
    return rows


def webcam(plans: Path, *arguments: str | Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "offline.cli", "webcam", *map(str, arguments)],
        env=os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def webcam_here(plans: Path, source: str | Path) -> Result:
    """As `webcam`, in this process and without workers in processes."""
    settings = {"PLANS": str(plans), "ISOLATE": "0"}
    env = {f"EMOTIONS_{name}": value for name, value in settings.items()}
    return CliRunner().invoke(app, ["webcam", str(source)], env=env)


def test_ctrl_c_ends_a_recording_with_its_report(plans: Path, camera: str, tmp_path: Path) -> None:
    process = webcam(plans, camera, "--out", tmp_path)
    # The file is written in blocks of 8 KiB, which is some 30 faces.
    while not any(file.stat().st_size for file in tmp_path.glob(".part-*/faces.part")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=30)
    assert process.returncode == 0, output
    (folder,) = tmp_path.iterdir()
    assert "<h2>Person" in (folder / "report.html").read_text()
    assert len((folder / "frames.csv").read_text().splitlines()) > 3


def test_json_lines_until_the_stream_ends(plans: Path, clip: Path) -> None:
    ended = webcam_here(plans, clip)
    assert ended.exit_code == 0, ended.stderr
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    numbers = [int(result["id"]) for result in results]
    assert numbers == sorted(set(numbers))
    assert any(result["faces"] for result in results)


def test_a_missing_camera_is_one_line_without_a_traceback(plans: Path) -> None:
    ended = webcam_here(plans, "/dev/video99")
    assert ended.exit_code == 1
    assert ended.stderr.splitlines()[-1].startswith("emotions: /dev/video99: ")
    assert isinstance(ended.exception, SystemExit)


async def test_an_unplugged_camera_leaves_its_recording(clip: Path, tmp_path: Path) -> None:
    pulled = threading.Event()

    def send(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        peer.sendall(clip.read_bytes()[: clip.stat().st_size // 2])
        pulled.wait()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()  # with a reset, like a router that has lost the camera

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=send, args=(listener,), daemon=True).start()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        analyzer = FakeAnalyzer(lambda number: pulled.set())
        with pytest.raises(CameraError, match="reset"):
            await record(analyzer, address, tmp_path, threading.Event(), QUIET)
    assert len(frames_of(tmp_path)) == len(analyzer.names)


async def test_a_service_that_goes_away_leaves_the_frames_before(
    camera: str, tmp_path: Path
) -> None:
    def then(number: int) -> None:
        if number > 3:
            raise RemoteError("the service is gone")

    with pytest.raises(RemoteError, match="gone"):
        await record(FakeAnalyzer(then), camera, tmp_path, threading.Event(), QUIET)
    assert len(frames_of(tmp_path)) == 3


async def test_a_service_that_never_answers_leaves_nothing(
    camera: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def then(number: int) -> None:
        raise RemoteError(f"no answer to {number}")

    with pytest.raises(RemoteError, match="no answer to 1"):
        await record(FakeAnalyzer(then), camera, tmp_path, threading.Event(), QUIET)
    assert recordings(tmp_path) == []
    await asyncio.sleep(0.1)
    gc.collect()
    assert caplog.records == []  # of the other frame in progress


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "watched"])
async def test_a_frame_that_fails_is_printed_and_left_out(
    camera: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], recorded: bool
) -> None:
    stop, output = threading.Event(), io.StringIO()

    def then(number: int) -> None:
        if number == 5:
            stop.set()
        if number == 2:
            raise InferenceError("the engine failed")

    analyzer = FakeAnalyzer(then)
    await record(analyzer, camera, tmp_path if recorded else None, stop, Console(file=output))
    rows = frames_of(tmp_path) if recorded else capsysbinary.readouterr().out.splitlines()
    assert len(rows) == len(analyzer.names) - 1
    assert output.getvalue().count(": the engine failed") == 1


def test_frames_that_come_too_fast_are_dropped(clip: Path) -> None:
    numbers = []
    for frame in newest_frames(str(clip), threading.Event()):
        numbers.append(frame.number)
        time.sleep(0.2)
    assert numbers == sorted(set(numbers))
    assert len(numbers) < FRAMES / 4
    assert numbers[-1] == FRAMES - 1


def test_inputs_of_cameras_and_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    assert input_of("rtsp://door").options["rtsp_transport"] == "tcp"
    assert input_of("clip.mp4").demuxer is None
    monkeypatch.setattr(sys, "platform", "linux")
    assert input_of("1")[:2] == ("/dev/video1", "v4l2")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert input_of("1")[:2] == ("1", "avfoundation")
