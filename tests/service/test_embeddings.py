"""Embeddings by a user's own weights: photographs of one person are nearer than those of two."""

import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from engines.build import build
from engines.catalog import Catalog
from engines.onnxruntime import OnnxRuntime
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE
from tests.server import Server, serving

WEIGHTS = Path(__file__).parents[3] / "shared" / "weights" / "arcface_mobilefacenet.wts"
pytestmark = pytest.mark.skipif(not WEIGHTS.exists(), reason="the reference weights are not here")


@pytest.fixture(scope="module")
def embedding_server(plans: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    catalog = tmp_path_factory.mktemp("catalog") / "mine.toml"
    catalog.write_text(f"""
[[model]]
name = "mine"
task = "embedder"
network = "arcface-mobilefacenet"
version = "1"
licence = "mine"
weights = "{WEIGHTS}"
batches = [1, 8]
limits.fp32 = {{ cosine = 0.9999 }}
""")
    build(Catalog.load(catalog).get("mine"), OnnxRuntime(), plans)
    with serving(plans, catalog=str(catalog), embedder="mine") as server:
        yield server


def variants(path: Path) -> list[bytes]:
    """The photograph as it is, mirrored, darker and turned, and small."""
    image = Image.open(path).convert("RGB")
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = ImageEnhance.Brightness(image).enhance(0.6).rotate(12)
    small = image.resize((image.width // 2, image.height // 2))
    return [encoded(picture) for picture in (image, mirrored, turned, small)]


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_one_person_is_nearer_than_two(embedding_server: Server) -> None:
    people = [variants(ASTRONAUT_FILE), variants(HOPPER_FILE)]
    files = [("images", ("f", data)) for person in people for data in person]
    with embedding_server.client() as client:
        answer = client.post("/v1/emotions?embeddings=true", files=files).json()
    assert answer["model"]["embedder"] == "mine"
    surest = [max(image["faces"], key=lambda face: face["score"]) for image in answer["images"]]
    vectors = np.array([face["embedding"] for face in surest])
    assert vectors.shape == (8, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    pairs = {(i, j): float(vectors[i] @ vectors[j]) for i, j in combinations(range(8), 2)}
    same = [cosine for (i, j), cosine in pairs.items() if i // 4 == j // 4]
    other = [cosine for (i, j), cosine in pairs.items() if i // 4 != j // 4]
    assert min(same) > 0.5
    assert max(other) < 0.3


def test_embeddings_come_only_when_asked_for(embedding_server: Server) -> None:
    with embedding_server.client() as client:
        files = [("images", ("f", ASTRONAUT_FILE.read_bytes()))]
        answer = client.post("/v1/emotions", files=files).json()
    assert answer["model"]["embedder"] is None
    assert answer["images"][0]["faces"][0]["embedding"] is None
