"""A service whose detector is a library's, with and without a device process."""

from pathlib import Path

import httpx
import pytest

from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, iou
from tests.server import serving


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
