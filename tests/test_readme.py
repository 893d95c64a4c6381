"""README stays true: its answer is the service's, its tree is the repository's."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.photographs import ASTRONAUT_FILE
from tests.server import Server, serving

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
ANSWER = re.compile(r"```json\n(.*?)```", re.DOTALL)
# The last digits of a sum depend on the processor.
NEAR = 0.01


def answer(server: Server) -> dict[str, Any]:
    files = {"images": ("astronaut.png", ASTRONAUT_FILE.read_bytes())}
    with server.client() as client:
        found: dict[str, Any] = client.post("/v1/emotions", files=files).json()
    return found


def assert_near(documented: Any, found: Any) -> None:
    if isinstance(found, dict):
        assert list(documented) == list(found)
        for key, value in found.items():
            assert_near(documented[key], value)
    elif isinstance(found, list):
        assert len(documented) == len(found)
        for one, other in zip(documented, found, strict=True):
            assert_near(one, other)
    elif isinstance(found, float):
        assert documented == pytest.approx(found, abs=NEAR)
    else:
        assert documented == found


def test_the_answer_is_the_service_s(server: Server) -> None:
    documented = ANSWER.search(README.read_text())
    assert documented is not None
    assert_near(json.loads(documented[1]), answer(server))


def test_the_tree_names_what_is_there() -> None:
    rooms = set(re.findall(r"^([a-z./-]+)  +\S", README.read_text(), re.MULTILINE))
    ignored = (ROOT / ".gitignore").read_text().split()
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    missing = {name for name in folders - rooms if not any(fnmatch(name, i) for i in ignored)}
    assert not missing, f"README's tree lacks {missing}"
    for room in rooms:
        assert (ROOT / room).exists(), room


def compact(value: Any, indent: str = "") -> str:
    """JSON with the innermost lists and short objects on one line."""
    line = json.dumps(value)
    if len(indent + line) <= 92 or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        parts = [compact(each, inner) for each in value]
    else:
        parts = [f"{json.dumps(k)}: {compact(v, inner)}" for k, v in value.items()]
    left, right = "[]" if isinstance(value, list) else "{}"
    return f"{left}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{right}"


if __name__ == "__main__":
    from service.settings import Settings

    with serving(Settings().plans, engine="onnxruntime") as running:
        block = f"```json\n{compact(answer(running))}\n```"
    README.write_text(ANSWER.sub(lambda _: block, README.read_text()))
