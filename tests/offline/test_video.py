"""Videos of real faces that move: tracks, tables and a report."""

import json
import math
import struct
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from analysis.document import ImageResult
from engines.types import U8
from offline.predict import predict
from offline.run import PredictRun
from offline.video.analyze import analyze_video
from offline.video.reading import Frame, count_frames, read_frames
from offline.video.tables import Columns
from offline.video.writing import open_video
from service.settings import Settings
from tests.offline.helpers import FakeAnalyzer, face, read_table, result
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, read
from tests.server import Server

QUIET = Console(quiet=True)
SECONDS, RATE = 3, 10
# The upper two rows of a track's matrix (ISO/IEC 14496-12, section 6.2.2), 16.16 fixed point.
UPRIGHT = struct.pack(">6i", 1 << 16, 0, 0, 0, 1 << 16, 0)
A_QUARTER_CLOCKWISE = struct.pack(">6i", 0, 1 << 16, 0, -1 << 16, 0, 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real faces that move on a grey ground."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    left = cv2.resize(read(ASTRONAUT_FILE)[:300, 90:350], (208, 240))
    right = cv2.resize(read(HOPPER_FILE)[20:380, 100:420], (213, 240))
    with open_video(path) as writer:
        for i in range(SECONDS * RATE):
            frame = np.full((361, 641, 3), 90, np.uint8)
            x, y = int(60 + 50 * math.sin(i / 8)), int(60 + 30 * math.cos(i / 6))
            frame[y : y + 240, x : x + 208] = left
            frame[y : y + 240, 380 - x // 4 : 593 - x // 4] = right
            writer.write(frame, i / RATE)
    return path


@pytest.fixture
def settings(plans: Path) -> Settings:
    return Settings(plans=plans, engine="onnxruntime", isolate=False)


def test_a_clip_gives_one_track_per_person_and_a_timeline(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    assert predict(settings, PredictRun([clip.parent], tmp_path / "out"), QUIET) == 0
    out = tmp_path / "out" / "videos" / "clip.mp4"
    assert sorted(path.name for path in out.iterdir()) == [
        "faces.csv",
        "frames.csv",
        "report.html",
        "timeline.png",
        "video.mp4",
    ]
    frames, faces = read_table(out / "frames.csv"), read_table(out / "faces.csv")
    assert [float(row["time"]) for row in frames] == [i / RATE for i in range(SECONDS * RATE)]
    assert sum(int(row["faces"]) for row in frames) == len(faces)
    counts = Counter(row["track"] for row in faces)
    long = [number for number, count in counts.items() if count > RATE // 2]
    assert len(long) == 2
    assert all(counts[number] >= 0.95 * len(frames) for number in long)
    assert all(row["identity"] for row in faces)
    text = (out / "report.html").read_text()
    assert text.count("<h2>Person") == 2
    assert "http" not in text
    with Image.open(out / "timeline.png") as picture:
        assert picture.width == 1200
        assert len({picture.getpixel((600, y)) for y in range(picture.height)}) > 3
    drawn = list(read_frames(out / "video.mp4"))
    assert len(drawn) == len(frames)
    assert drawn[0].image.shape == (360, 640, 3)


def test_fewer_frames_through_a_service_and_resume(
    server: Server, settings: Settings, clip: Path, tmp_path: Path
) -> None:
    job = PredictRun([clip], tmp_path / "out", url=server.url, fps=2.5)
    assert predict(settings, job, QUIET) == 0
    frames = read_table(tmp_path / "out" / "videos" / "clip.mp4" / "frames.csv")
    assert [int(row["frame"]) for row in frames] == list(range(0, SECONDS * RATE, 4))
    before = (tmp_path / "out" / "videos" / "clip.mp4").stat().st_mtime_ns
    assert predict(settings, job._replace(resume=True), QUIET) == 0
    assert (tmp_path / "out" / "videos" / "clip.mp4").stat().st_mtime_ns == before


class OneFace(FakeAnalyzer):
    """Finds one face, in two places one after the other."""

    async def analyze_frame(self, name: str, _: U8) -> ImageResult:
        number = int(name.rpartition(":")[2])
        return result(name, face(0.0 if number < 10 else 300.0, embedding=[1.0, 0.0]))


@pytest.mark.parametrize("identities", [True, False])
async def test_embeddings_are_compared_only_where_people_are_numbered(
    tmp_path: Path, identities: bool
) -> None:
    image = np.zeros((100, 400, 3), np.uint8)
    source = (Frame(i, i / 10 if i < 10 else i / 10 + 5, image) for i in range(20))
    columns = Columns(embeddings=True, identities=identities)
    out = tmp_path / "out"
    found = await analyze_video(
        OneFace(), "clip.mp4", source, out, lambda result: None, columns=columns
    )
    assert len(found) == (1 if identities else 2)
    rows = read_table(out / "faces.csv")
    assert [row["track"] for row in rows] == ["1"] * 10 + ["2"] * 10
    assert {row.get("identity") for row in rows} == ({"1"} if identities else {None})
    assert {row["embedding"] for row in rows} == {"[1.0, 0.0]"}
    page = (out / "report.html").read_text()
    assert ("2 tracks" in page, "<h2>Person 1" in page) == (not identities, identities)
    assert not (out / "faces.part").exists()


def test_options_choose_the_columns_of_a_video(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    job = PredictRun([clip], tmp_path / "out", "jsonl", fps=2.5, embeddings=True, identities=False)
    assert predict(settings, job, QUIET) == 0
    out = tmp_path / "out" / "videos" / "clip.mp4"
    faces, frames = (
        [json.loads(line) for line in (out / name).read_text().splitlines()]
        for name in ("faces.jsonl", "frames.jsonl")
    )
    assert [type(faces[0][name]) for name in ("frame", "track", "time")] == [int, int, float]
    assert len(json.loads(faces[0]["embedding"])) == 128
    assert "identity" not in faces[0]
    assert sum(frame["faces"] for frame in frames) == len(faces)
    (out / "faces.jsonl").unlink()
    assert predict(settings, job._replace(resume=True), QUIET) == 0
    assert (out / "faces.jsonl").exists()


def test_broken_videos_are_counted_and_leave_nothing(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    job = PredictRun([tmp_path], tmp_path / "out")
    assert predict(settings, job, QUIET) == 2
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] in ([], ["videos"])
    assert list((tmp_path / "out" / "videos").iterdir()) == []


def test_time_starts_at_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "broadcast.ts"
    with open_video(path) as writer:
        for i in range(10):
            writer.write(np.full((64, 64, 3), 20 * i, np.uint8), 1000 + i / RATE)
    times = [frame.time for frame in read_frames(path)]
    assert times == pytest.approx([i / RATE for i in range(10)], abs=1e-3)
    assert [frame.time for frame in read_frames(path, fps=2)] == pytest.approx([0, 0.5], abs=1e-3)


def test_videos_need_a_folder(
    settings: Settings, clip: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert predict(settings, PredictRun([clip]), QUIET) == 1
    assert b"need --out" in capsysbinary.readouterr().out


def test_videos_of_telephones_are_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 64:] = 255
    with open_video(path) as writer:
        writer.write(image, 0.0)
    data = path.read_bytes()
    place = data.index(UPRIGHT, data.index(b"tkhd"))
    path.write_bytes(data[:place] + A_QUARTER_CLOCKWISE + data[place + len(UPRIGHT) :])
    (frame,) = read_frames(path)
    assert frame.image.shape == (128, 64, 3)
    assert frame.image[10].mean() < 20
    assert frame.image[-10].mean() > 235
    assert count_frames(path, None) == 1
