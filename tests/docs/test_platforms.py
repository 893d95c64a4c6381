"""The commands of docs/platforms.md that need neither Kubernetes nor Ray Serve."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench import cost
from tests.docs.blocks import DOCS, blocks
from tests.photographs import HOPPER_FILE
from tests.server import Server

PAGE = "platforms.md"
ROOT = DOCS.parent
# Of tests/kubernetes/test_commands.py (blocks) and tests/ray/test_commands.py (lines).
OF_KUBERNETES = re.compile(r"^(helm|kubectl) ", re.MULTILINE)
OF_RAY = "serve "
COMMANDS = [
    line
    for block in blocks(PAGE, "bash")
    if not OF_KUBERNETES.search(block.text)
    for line in block.text.replace("\\\n", " ").splitlines()
    if line and not line.startswith(("#", OF_RAY))
]


def pip(words: Sequence[str], _: pytest.FixtureRequest) -> None:
    """Each extra that is installed exists."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        assert set(name.split(",")) <= extras["optional-dependencies"].keys()


def curl(words: Sequence[str], request: pytest.FixtureRequest) -> None:
    """The service answers the request with a face."""
    server: Server = request.getfixturevalue("server")
    folder: Path = request.getfixturevalue("tmp_path")
    shutil.copy(HOPPER_FILE, folder / "photo.jpg")
    sent = [re.sub(r"http://[\w.]+:8000", server.url, word) for word in words]
    done = subprocess.run(["curl", "-sS", *sent], cwd=folder, capture_output=True, check=True)
    assert b'"emotion"' in done.stdout


def emotions(words: Sequence[str], request: pytest.FixtureRequest) -> None:
    """The command accepts its options; with `build` it runs."""
    plans: Path = request.getfixturevalue("plans")
    command = [sys.executable, "-m", "offline.cli", *words]
    if words[0] != "build":
        check_options([*command[:4], "--help"], words)
        return
    environment = os.environ | {"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime"}
    subprocess.run(command, env=environment, capture_output=True, check=True)


def python(words: Sequence[str], _: pytest.FixtureRequest) -> None:
    """A benchmark knows its options; that of the cost runs."""
    dash_m, module, *arguments = words
    assert dash_m == "-m"
    if module == "bench.cost":
        cost.main(arguments)
    else:
        check_options([sys.executable, "-m", module, "--help"], arguments)


def ray(words: Sequence[str], _: pytest.FixtureRequest) -> None:
    """Ray knows the command and its options."""
    check_options([sys.executable, "-m", "ray.scripts.scripts", words[0], "--help"], words)


def check_options(command: Sequence[str], words: Sequence[str]) -> None:
    """Check that the help of a command has all options among `words`."""
    environment = os.environ | {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}
    shown = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", shown), word


PROGRAMS: dict[str, Callable[[Sequence[str], pytest.FixtureRequest], None]] = {
    "pip": pip,
    "curl": curl,
    "emotions": emotions,
    "python": python,
    "ray": ray,
}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_is_right(line: str, request: pytest.FixtureRequest) -> None:
    program, *words = shlex.split(line, comments=True)
    PROGRAMS[program](words, request)
