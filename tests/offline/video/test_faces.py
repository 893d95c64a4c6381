"""A face has the same emotion however a video stores it."""

from pathlib import Path
from typing import NamedTuple

import pytest

from analysis.document import Face
from analysis.types import Options
from engines.types import U8
from offline.analyzers.local import open_local
from offline.video.reading import read_frames
from service.settings import Settings
from tests.cases import Case
from tests.offline.video.ffmpeg import ffmpeg, shown_by_ffmpeg
from tests.photographs import ASTRONAUT_FILE, read

CLOSE = 0.03
SOURCE = ("-loop", "1", "-r", "50", "-t", "0.2", "-i", ASTRONAUT_FILE)
FFV1 = ("-c:v", "ffv1", "-pix_fmt", "yuv420p")


class Stored(NamedTuple):
    """A row, a file, and the filters with which ffmpeg makes it."""

    case: Case
    file: str
    filters: str


def stored(name: str, file: str, filters: str, without: str) -> Stored:
    happens = f"happy, within {CLOSE} of the photograph's score; {without}"
    return Stored(Case(name, "the same emotion", happens), file, filters)


STORED = [
    stored("pixels of 2:1", "narrow.mkv", "scale=256:512,setsar=2/1", "squeezed it is surprise"),
    stored("interlaced, the face moves by 16 pixels per field", "fields.mkv",
           "crop=384:512:x='16*n':y=0,tinterlace=interleave_top,setfield=tff,setsar=1",
           "with combs it is happy, 0.15 less"),
]  # fmt: skip


async def faces(plans: Path, images: list[U8]) -> list[Face]:
    """Return the face of each image, which holds one."""
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False)
    async with open_local(settings, Options(), identify=False) as analyzer:
        results = [await analyzer.analyze_frame("frame", image) for image in images]
    return [face for (face,) in (result.faces for result in results)]


@pytest.mark.parametrize("sample", STORED, ids=lambda sample: sample.file)
async def test_a_face_has_the_same_emotion(sample: Stored, plans: Path, tmp_path: Path) -> None:
    path = tmp_path / sample.file
    ffmpeg(*SOURCE, "-vf", sample.filters, *FFV1, path)
    images = [read(ASTRONAUT_FILE), [*read_frames(path)][1].image, shown_by_ffmpeg(path)[1]]
    photograph, ours, untouched = await faces(plans, images)
    assert ours.emotion == photograph.emotion == "happy"
    assert abs(ours.scores["happy"] - photograph.scores["happy"]) < CLOSE
    assert untouched.emotion in sample.case.happens.rpartition("; ")[2]
    assert untouched.scores["happy"] < photograph.scores["happy"] - 0.1


CASES = [sample.case for sample in STORED]
