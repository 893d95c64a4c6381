"""`emotions teach`: from folders of photographs to a network that the service uses."""

import csv
import importlib.util
import json
import re
from pathlib import Path

import cv2
import httpx
import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner

import offline.cli.main
from engines.catalog import read as read_catalog
from engines.types import U8
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, group, read
from tests.server import serving

FACES = 24


def views(image: U8, count: int) -> list[U8]:
    """A photograph, each time cut and lit a little differently."""
    return [
        np.clip(image[i % 5 :, i // 5 :].astype(np.float32) * (0.8 + 0.02 * i), 0, 255).astype(
            np.uint8
        )
        for i in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, and pictures that cannot be used."""
    small = cv2.resize(read(HOPPER_FILE), (360, 420), interpolation=cv2.INTER_AREA)
    hopper = np.asarray(small, np.uint8)
    for name, image in (("smiling", read(ASTRONAUT_FILE)), ("serious", hopper)):
        place = tmp_path / "photos" / name
        place.mkdir(parents=True)
        for number, view in enumerate(views(image, FACES)):
            (place / f"{number:02}.png").write_bytes(encode(view))
    smiling = tmp_path / "photos" / "smiling"
    (smiling / "wall.png").write_bytes(encode(np.full((300, 300, 3), 120, np.uint8)))
    (smiling / "group.png").write_bytes(encode(group(2, 2)[0]))
    (smiling / "copy.png").write_bytes((smiling / "00.png").read_bytes())
    (smiling / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (smiling / "notes.txt").write_text("of the shooting")
    (tmp_path / "photos" / "serious" / "both.png").write_bytes((smiling / "03.png").read_bytes())
    return tmp_path / "photos"


def teach(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(offline.cli.main.app, ["teach", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def test_the_service_serves_what_it_was_taught(
    folder: Path, own_plans: Path, tmp_path: Path
) -> None:
    output = teach(folder, "--out", tmp_path / "mine", "--min-quality", "0.3")
    assert "EMOTIONS_EMOTION=mine emotions serve" in output
    assert "The class smiling shows 1 person" in output
    with (tmp_path / "mine" / "left-out.csv").open() as file:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons["smiling/wall.png"] == "no face"
    assert reasons["smiling/group.png"] == "4 faces"
    assert reasons["smiling/copy.png"] == "the same picture as smiling/00.png"
    assert "another class" in reasons["smiling/03.png"]
    assert "another class" in reasons["serious/both.png"]
    assert "smiling/broken.jpg" in reasons
    card = (tmp_path / "mine" / "mine.md").read_text()
    assert re.search(r"\| smiling \| \d\d \| 1 \|", card)
    assert "prohibits" in card
    assert (tmp_path / "mine" / "confusion.png").exists()
    with serving(own_plans, emotion="mine", workers="1") as server:
        document = httpx.post(
            f"{server.url}/v1/emotions",
            files={"images": ASTRONAUT_FILE.read_bytes()},
            timeout=60,
        ).json()
    face = document["images"][0]["faces"][0]
    assert document["model"]["emotion"] == "mine"
    assert face["emotion"] == "smiling", json.dumps(face)
    assert set(face["scores"]) == {"smiling", "serious"}


def test_the_same_command_again_replaces_its_network(
    folder: Path, own_plans: Path, tmp_path: Path
) -> None:
    catalog, out = own_plans / "catalogs" / "mine.toml", tmp_path / "mine"
    teach(folder, "--out", out, "--min-quality", "0.3")
    (before,) = read_catalog(catalog)
    for file in sorted((folder / "smiling").glob("0*.png"))[:4]:
        file.rename(file.with_name(f"more-{file.name}"))
    (folder / "serious" / "both.png").unlink()
    teach(folder, "--out", out, "--min-quality", "0.3")
    (after,) = read_catalog(catalog)
    assert (before.name, before.weights) == (after.name, after.weights)
    assert before.sha256 != after.sha256
    network = onnxruntime.InferenceSession(out / "mine.onnx", providers=["CPUExecutionProvider"])
    assert network.get_inputs()[0].shape[1:] == [48, 48]
    other = tmp_path / "elsewhere" / "mine"
    assert "another model mine" in teach(folder, "--out", other, status=1)
    assert not other.exists()


def test_what_cannot_be_taught_names_the_fix(folder: Path, own_plans: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    assert "no folder" in teach(tmp_path / "none", "--out", out, status=1)
    if importlib.util.find_spec("torch") is None:
        tuned = teach(folder, "--out", out, "--finetune", status=1)
        assert "pip install '.[training]'" in tuned
    assert "no subfolder" in teach(folder / "serious", "--out", out, status=1)
    for name in ("emotion-fer48", "retinaface-mnet025-960", "haar-1280x736"):
        assert "there is a model" in teach(folder, "--out", tmp_path / name, status=1)
    assert "holds other files" in teach(folder, "--out", folder, status=1)
    for file in (folder / "serious").glob("1*.png"):
        file.unlink()
    few = teach(folder, "--out", out, "--min-quality", "0.3", status=1)
    assert re.search(r"the class serious has \d+ usable faces and needs 20", few)
    assert not (own_plans / "catalogs").exists()
