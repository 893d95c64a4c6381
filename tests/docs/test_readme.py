"""The README stays true: its answer is the service's, its tree is the repository's."""

import json
import re
from fnmatch import fnmatch
from typing import Any

from tests.docs.blocks import DOCS
from tests.docs.near import assert_near
from tests.server import Server, serving

ROOT = DOCS.parent
README = ROOT / "README.md"
SCENE = ROOT / "engines" / "probe" / "scene.jpg"
ANSWER = re.compile(r"```json\n(.*?)```", re.DOTALL)
WIDTH, TWO_SCREENS = 100, 130


def answer(server: Server) -> dict[str, Any]:
    files = {"images": (SCENE.name, SCENE.read_bytes())}
    with server.client() as client:
        found: dict[str, Any] = client.post("/v1/emotions?max_faces=1", files=files).json()
    return found


def test_the_answer_is_the_service_s(server: Server) -> None:
    documented = ANSWER.search(README.read_text())
    assert documented is not None
    assert_near(json.loads(documented[1]), answer(server))


def test_the_tree_names_what_is_there() -> None:
    named = set(re.findall(r"^([a-z./-]+)  +\S", README.read_text(), re.MULTILINE))
    ignored = (ROOT / ".gitignore").read_text().split()
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    missing = {name for name in folders - named if not any(fnmatch(name, i) for i in ignored)}
    assert not missing, f"README's tree lacks {missing}"
    for name in named:
        assert (ROOT / name).exists(), name


def test_it_is_read_in_two_screens() -> None:
    assert len(README.read_text().splitlines()) <= TWO_SCREENS


def compact(value: Any, indent: str = "") -> str:
    """JSON with short lists and objects on one line."""
    line = json.dumps(value)
    if len(indent + line) <= WIDTH or not isinstance(value, dict | list):
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
