"""Embeddings of the shipped weights: photographs of one person are closer than those of two."""

import io
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from engines.catalog import Catalog
from service.settings import Settings
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE
from tests.server import Server
from tests.service.in_process import client_of


def variants(path: Path) -> list[bytes]:
    """Return the photograph unchanged, mirrored, darker and rotated, and smaller."""
    image = Image.open(path).convert("RGB")
    mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = ImageEnhance.Brightness(image).enhance(0.6).rotate(12)
    small = image.resize((image.width // 2, image.height // 2))
    return [encoded(picture) for picture in (image, mirrored, turned, small)]


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_one_person_is_nearer_than_two(server: Server) -> None:
    people = [variants(ASTRONAUT_FILE), variants(HOPPER_FILE)]
    files = [("images", ("f", data)) for person in people for data in person]
    with server.client() as client:
        answer = client.post("/v1/emotions?embeddings=true", files=files).json()
    assert answer["model"]["embedder"] == "arcface-mobilefacenet"
    surest = [max(image["faces"], key=lambda face: face["score"]) for image in answer["images"]]
    vectors = np.array([face["embedding"] for face in surest])
    assert vectors.shape == (8, 128)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    pairs = {(i, j): float(vectors[i] @ vectors[j]) for i, j in combinations(range(8), 2)}
    same = [cosine for (i, j), cosine in pairs.items() if i // 4 == j // 4]
    other = [cosine for (i, j), cosine in pairs.items() if i // 4 != j // 4]
    assert min(same) >= Catalog.load().get("arcface-mobilefacenet").same_person > max(other)


def test_embeddings_come_only_on_request(server: Server) -> None:
    with server.client() as client:
        files = [("images", ("f", ASTRONAUT_FILE.read_bytes()))]
        answer = client.post("/v1/emotions", files=files).json()
    assert answer["model"]["embedder"] is None
    assert answer["images"][0]["faces"][0]["embedding"] is None


async def test_without_an_embedder_the_error_names_the_command(plans: Path, tmp_path: Path) -> None:
    bare = tmp_path / "plans"
    shutil.copytree(plans, bare, ignore=shutil.ignore_patterns("arcface-*", "*.log"))
    files = [("images", ("f", ASTRONAUT_FILE.read_bytes()))]
    url = "/v1/emotions?embeddings=true"
    async with client_of(Settings(plans=bare)) as client:
        missing = await client.post(url, files=files)
        headers = {"accept": "application/x-ndjson"}
        lines = await client.post(url, files=files * 2, headers=headers)
    for answer in (missing, lines):
        assert (answer.status_code, answer.json()["code"]) == (501, "embedder_missing")
        assert "emotions build" in answer.json()["detail"]
