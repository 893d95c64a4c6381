"""The service and the command with the detector of a library."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from tests.offline.helpers import emotions
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, encode, iou, read
from tests.server import Server, serving


@pytest.mark.parametrize("device", ["false", "true"])
def test_it_answers_with_landmarks_emotions_and_embeddings(plans: Path, device: str) -> None:
    with serving(plans, detector="haar", workers="1", device_process=device) as server:
        parameters = {"embeddings": "true", "orientation": "auto", "min_face": "60"}
        answer = httpx.post(
            f"{server.url}/v1/emotions",
            params=parameters,
            files={"images": ASTRONAUT_FILE.read_bytes()},
            timeout=60,
        ).json()
        assert answer["model"]["detector"] == "haar"
        (image,) = answer["images"]
        face = max(image["faces"], key=lambda each: each["score"])
        assert iou(face["box"], ASTRONAUT_BOX) > 0.5
        assert face["emotion"] == "happy"
        assert abs(face["pose"]["roll"]) < 20
        assert face["embedding"]
        cards = httpx.get(f"{server.url}/v1/models").json()["models"]
        assert [card["engine"] for card in cards if card["name"] == "haar"] == ["opencv"]


@pytest.fixture(scope="module")
def haar(plans: Path) -> Iterator[Server]:
    with serving(plans, detector="haar", workers="1") as running:
        yield running


def faces(haar: Server, image: np.ndarray, **parameters: str) -> list[Any]:
    answer = httpx.post(
        f"{haar.url}/v1/emotions",
        params=parameters,
        files={"images": encode(image)},
        timeout=60,
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return list(answer.json()["images"][0]["faces"])


def test_it_finds_a_face_that_fills_the_frame(haar: Server) -> None:
    left, top, right, bottom = map(int, ASTRONAUT_BOX)
    face = read(ASTRONAUT_FILE)[top - 20 : bottom + 20, left - 20 : right + 20]
    side = cv2.resize(face, (1000, 1170), interpolation=cv2.INTER_CUBIC)
    largest = max(each["box"][2] - each["box"][0] for each in faces(haar, np.asarray(side)))
    assert largest > 600


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (1, 4000), (4000, 1)])
def test_an_image_of_any_shape_is_answered(haar: Server, size: tuple[int, int]) -> None:
    assert faces(haar, np.full((*size, 3), 127, np.uint8), orientation="auto") == []


def test_the_command_uses_it(plans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setenv("EMOTIONS_DETECTOR", "haar")
    found = json.loads(emotions("predict", ASTRONAUT_FILE).splitlines()[0])["faces"]
    assert any(iou(face["box"], ASTRONAUT_BOX) > 0.5 for face in found)
    assert all(0.5 <= face["score"] < 1 for face in found)
