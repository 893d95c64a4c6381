"""Videos of real faces that move, to tracks, tables and a report."""

import csv
import json
import math
import struct
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from analysis.document import Face, ImageResult
from analysis.evaluation.fer2013 import LABELS
from engines.catalog import SAME_PERSON
from offline import video, video_report
from offline.predict import Job, predict
from offline.tables import OutputError
from service.settings import Settings
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, read
from tests.server import Server

QUIET = Console(quiet=True)
SECONDS, RATE = 4, 10
# The upper two rows of a track's matrix (ISO/IEC 14496-12, section 6.2.2), 16.16 fixed point.
UPRIGHT = struct.pack(">6i", 1 << 16, 0, 0, 0, 1 << 16, 0)
A_QUARTER_CLOCKWISE = struct.pack(">6i", 0, 1 << 16, 0, -1 << 16, 0, 0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real faces that move about on a grey ground."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    left = cv2.resize(read(ASTRONAUT_FILE)[:300, 90:350], (208, 240))
    right = cv2.resize(read(HOPPER_FILE)[20:380, 100:420], (213, 240))
    with video.writing(path) as writer:
        for i in range(SECONDS * RATE):
            frame = np.full((361, 641, 3), 90, np.uint8)
            x, y = int(60 + 50 * math.sin(i / 8)), int(60 + 30 * math.cos(i / 6))
            frame[y : y + 240, x : x + 208] = left
            frame[y : y + 240, 380 - x // 4 : 593 - x // 4] = right
            writer.write(frame, i / RATE)
    return path


@pytest.fixture
def settings(plans: Path) -> Settings:
    return Settings(plans=plans, engine="onnxruntime")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_clip_gives_one_track_a_person_and_a_timeline(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    assert predict(settings, Job([clip.parent], tmp_path / "out"), QUIET) == 0
    out = tmp_path / "out" / "videos" / "clip.mp4"
    assert sorted(path.name for path in out.iterdir()) == [
        "faces.csv",
        "frames.csv",
        "report.html",
        "timeline.png",
        "video.mp4",
    ]
    frames, faces = table(out / "frames.csv"), table(out / "faces.csv")
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
    drawn = list(video.frames(out / "video.mp4"))
    assert len(drawn) == len(frames)
    assert drawn[0].image.shape == (360, 640, 3)


def test_fewer_frames_and_a_service_elsewhere(
    server: Server, settings: Settings, clip: Path, tmp_path: Path
) -> None:
    job = Job([clip], tmp_path / "out", url=server.url, fps=2.5)
    assert predict(settings, job, QUIET) == 0
    frames = table(tmp_path / "out" / "videos" / "clip.mp4" / "frames.csv")
    assert [int(row["frame"]) for row in frames] == list(range(0, SECONDS * RATE, 4))
    before = (tmp_path / "out" / "videos" / "clip.mp4").stat().st_mtime_ns
    assert predict(settings, job._replace(resume=True), QUIET) == 0
    assert (tmp_path / "out" / "videos" / "clip.mp4").stat().st_mtime_ns == before


class Networks:
    """In the place of a reader's: one face in two places, in turns of a few seconds."""

    labels: tuple[str, ...] = LABELS
    same_person = SAME_PERSON

    async def look(self, name: str, _: NDArray[np.uint8]) -> ImageResult:
        number = int(name.rpartition(":")[2])
        x = 0.0 if number < 10 else 300.0
        face = Face(
            box=[x, 0, x + 100, 100],
            score=0.9,
            landmarks=[[x, 0]] * 5,
            emotion="happy",
            scores=dict.fromkeys(LABELS, 1 / 7),
            embedding=[1.0, 0.0],
        )
        return ImageResult(id=name, width=400, height=100, error=None, faces=[face])


@pytest.mark.parametrize("identities", [True, False])
async def test_embeddings_are_compared_only_where_people_are_numbered(
    tmp_path: Path, identities: bool
) -> None:
    image = np.zeros((100, 400, 3), np.uint8)
    source = (video.Frame(i, i / 10 if i < 10 else i / 10 + 5, image) for i in range(20))
    wanted = video_report.Wanted(embeddings=True, identities=identities)
    out = tmp_path / "out"
    found = await video_report.film(
        Networks(), "clip.mp4", source, out, lambda result: None, wanted=wanted
    )
    assert len(found) == (1 if identities else 2)
    rows = table(out / "faces.csv")
    assert [row["track"] for row in rows] == ["1"] * 10 + ["2"] * 10
    assert {row.get("identity") for row in rows} == ({"1"} if identities else {None})
    assert {row["embedding"] for row in rows} == {"[1.0, 0.0]"}
    page = (out / "report.html").read_text()
    assert ("2 tracks" in page, "<h2>Person 1" in page) == (not identities, identities)
    assert not (out / "faces.part").exists()


def test_a_video_s_tables_are_what_the_options_ask_for(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    job = Job([clip], tmp_path / "out", "jsonl", fps=2.5, embeddings=True, identities=False)
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


def test_a_video_that_breaks_off_is_reported(
    settings: Settings, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:2000])
    job = Job([tmp_path], tmp_path / "out")
    assert predict(settings, job, QUIET) == 2
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] in ([], ["videos"])
    assert list((tmp_path / "out" / "videos").iterdir()) == []


def test_time_begins_with_the_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "broadcast.ts"
    with video.writing(path) as writer:
        for i in range(10):
            writer.write(np.full((64, 64, 3), 20 * i, np.uint8), 1000 + i / RATE)
    times = [frame.time for frame in video.frames(path)]
    assert times == pytest.approx([i / RATE for i in range(10)], abs=1e-3)
    assert [frame.time for frame in video.frames(path, fps=2)] == pytest.approx([0, 0.5], abs=1e-3)


def test_videos_need_a_folder(settings: Settings, clip: Path) -> None:
    with pytest.raises(OutputError, match="--out"):
        predict(settings, Job([clip]), QUIET)


def test_telephones_films_are_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    image = np.zeros((64, 128, 3), np.uint8)
    image[:, 64:] = 255
    with video.writing(path) as writer:
        writer.write(image, 0.0)
    data = path.read_bytes()
    place = data.index(UPRIGHT, data.index(b"tkhd"))
    path.write_bytes(data[:place] + A_QUARTER_CLOCKWISE + data[place + len(UPRIGHT) :])
    (frame,) = video.frames(path)
    assert frame.image.shape == (128, 64, 3)
    assert frame.image[10].mean() < 20
    assert frame.image[-10].mean() > 235
    assert video.count(path, None) == 1
