"""The detector of the package mtcnn, which is in the environment for training."""

import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from engines.catalog import Catalog
from engines.libraries.select import find, open_runner
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, iou, read
from tests.server import serving

pytest.importorskip("mtcnn", reason="mtcnn lives in the environment for training")


@pytest.mark.filterwarnings("ignore")  # of TensorFlow
def test_it_finds_a_face_and_its_landmarks() -> None:
    spec = Catalog.load().get("mtcnn", "detector")
    _, sidecar = find(spec)
    assert sidecar.fingerprint.engine == "mtcnn"
    images = np.zeros((2, 640, 640, 3), np.uint8)
    images[0, :512, :512] = read(ASTRONAUT_FILE)
    with open_runner(spec) as runner:
        outputs = runner.infer({"images": images})
        low = runner.infer({"images": images[:, :32]})
    box = tuple(outputs["boxes"][0, 0].tolist())
    assert iou(box, ASTRONAUT_BOX) > 0.5
    left, right, _, *mouth = outputs["landmarks"][0, 0]
    assert left[0] < right[0]
    assert mouth[0][0] < mouth[1][0]
    assert not outputs["scores"][1].any()
    assert not low["scores"].any()


@pytest.mark.parametrize("device", ["false", "true"])
def test_a_service_answers_with_it(plans: Path, device: str) -> None:
    with serving(plans, detector="mtcnn", workers="1", device_process=device) as server:
        answer = httpx.post(
            f"{server.url}/v1/emotions",
            params={"embeddings": "true", "min_face": "60"},
            files={"images": ASTRONAUT_FILE.read_bytes()},
            timeout=60,
        )
        document = json.loads(answer.text)
        assert answer.status_code == httpx.codes.OK, document
        assert document["model"]["detector"] == "mtcnn"
        (face,) = document["images"][0]["faces"]
        assert iou(face["box"], ASTRONAUT_BOX) > 0.5
        assert face["emotion"] == "happy"
        cards = httpx.get(f"{server.url}/v1/models").json()["models"]
        assert [card["engine"] for card in cards if card["name"] == "mtcnn"] == ["mtcnn"]
