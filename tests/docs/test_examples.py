"""The examples of the documentation, cut out of its pages and run against a real server."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, Block, blocks
from tests.docs.near import assert_near
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE
from tests.server import Server, serving

PAGES = ("index.md", "api.md", "client.md")
URL = "http://localhost:8000"
KEY = "the-key-of-the-examples"
EXAMPLES = [block for page in PAGES for block in blocks(page, "bash", "python")]
# Each call tells its status on standard error.
CURL = "curl() { command curl -sS -w '%{stderr}%{http_code}\\n' \"$@\"; }\n"


@pytest.fixture(scope="session")
def keyed(plans: Path) -> Iterator[Server]:
    with serving(plans, api_keys=f"examples:{KEY}") as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with the photographs that the examples name."""
    for file in (ASTRONAUT_FILE, HOPPER_FILE):
        shutil.copy(file, tmp_path / file.name.replace("grace_", ""))
    return tmp_path


def run(block: Block, url: str, desk: Path) -> subprocess.CompletedProcess[str]:
    text = block.text.replace(URL, url)
    assert text != block.text
    shell = ["bash", "-euo", "pipefail", "-c", CURL + text]
    command = shell if block.language == "bash" else [sys.executable, "-c", text]
    environment = os.environ | {"EMOTIONS_KEY": KEY, "PYTHONPATH": str(DOCS.parent / "client")}
    return subprocess.run(
        command, cwd=desk, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "block", EXAMPLES, ids=lambda b: f"{b.page}-{b.text.split(chr(10))[0][:50]}"
)
def test_an_example_runs(block: Block, desk: Path, request: pytest.FixtureRequest) -> None:
    if block.language == "bash" and not shutil.which("curl"):
        pytest.skip("needs curl")
    asked = request.getfixturevalue("keyed" if "EMOTIONS_KEY" in block.text else "server")
    done = run(block, asked.url, desk)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    printed = json.loads(block.printed) if block.printed else {}
    if block.language == "bash":
        assert set(done.stderr.split()) == {str(printed.get("status", 200))}
    if printed:
        found = json.loads(done.stdout)
        assert_near(
            {**printed, "request_id": found.get("request_id")} if "status" in printed else printed,
            found,
        )


def test_there_are_examples_of_every_kind() -> None:
    texts = [block.text for block in EXAMPLES]
    for kind in (
        "-F images=",
        "--data-binary",
        "base64",
        "msgpack",
        "jsonl",
        "Deadline",
        "Client(",
    ):
        assert any(kind in text for text in texts), kind
