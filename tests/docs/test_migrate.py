"""The commands of docs/migrate.md run on files like those of the old projects."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from offline.cli.main import app
from tests.docs.blocks import DOCS, Block, blocks
from tests.docs.fer2013 import noise, write_fer2013
from tests.docs.shell import run
from tests.engines.classifiers.graphs import linear
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE
from tests.server import Server

PAGE = "migrate.md"
# tests/training/tensorflow/test_keras_export.py runs the block with Keras.
BLOCKS = [block for block in blocks(PAGE, "bash") if "model.h5" not in block.text]
INLINE = sorted(set(re.findall(r"`[A-Z_=/:\w]*(?: )?emotions ([^`]+)`", (DOCS / PAGE).read_text())))


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the files that the page names."""
    (tmp_path / "photos").mkdir()
    for file in (ASTRONAUT_FILE, HOPPER_FILE):
        shutil.copy(file, tmp_path / "photos")
    cv2.imwrite(str(tmp_path / "photos" / "wall.png"), np.full((480, 640, 3), 120, np.uint8))
    shutil.copy(HOPPER_FILE, tmp_path / "photo.jpg")
    (tmp_path / "model.onnx").write_bytes(linear(224, 3).SerializeToString())
    write_fer2013(tmp_path / "fer2013.csv", noise())
    return tmp_path


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.text.partition("\n")[0][:40])
def test_a_block_runs(block: Block, desk: Path, own_plans: Path, server: Server) -> None:
    run(block.text.replace("http://localhost:8000", server.url), desk, own_plans)
    written = re.findall(r"--(?:out|confusion) (\S+)", block.text)
    assert all((desk / name).exists() for name in written)


@pytest.mark.parametrize("line", INLINE)
def test_a_command_in_the_text_has_its_options(line: str) -> None:
    words = line.split()
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    options = {name for given in command.commands[words[0]].params for name in given.opts}
    assert {word for word in words if word.startswith("--")} <= options
