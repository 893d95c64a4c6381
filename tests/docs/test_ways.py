"""The two ways in `docs/how-it-works.md` are those that the code takes."""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from types import FrameType

import httpx
import pytest
import uvicorn

from engines.backends.onnxruntime import OnnxRuntime
from engines.build import build, find
from engines.catalog import Catalog
from service.http.app import create_app
from service.http.protocol import Connection
from service.settings import Settings
from tests.docs.blocks import DOCS
from tests.photographs import ASTRONAUT_FILE

ROOT = DOCS.parent
STOP = re.compile(r"^\d+\. `([\w/]+\.py):([\w.]+)`", re.MULTILINE)
MOST = {"request": 8, "model": 6}


def documented(way: str) -> list[tuple[str, str]]:
    text = (DOCS / "how-it-works.md").read_text()
    section = text.partition(f"## The way of a {way}\n")[2].partition("\n## ")[0]
    return STOP.findall(section)


Calls = dict[tuple[str, str], None]


@contextmanager
def calls() -> Iterator[Calls]:
    """Collect file and name of each function of the project, in the order of first calls."""
    found: Calls = {}
    files: dict[str, str | None] = {}

    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call":
            return
        if code.co_filename not in files:
            path = Path(code.co_filename)
            inside = path.is_relative_to(ROOT) and ".venv" not in path.parts
            files[code.co_filename] = str(path.relative_to(ROOT)) if inside else None
        if (file := files[code.co_filename]) is not None:
            found.setdefault((file, code.co_qualname))

    former = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(former)
        threading.setprofile(None)


def request(plans: Path, found: Calls) -> None:
    """Send an image to a server in this process, whose workers are threads."""
    settings = Settings(plans=plans, isolate=False, workers=1)
    config = uvicorn.Config(create_app(settings), http=Connection, ws="none", log_config=None)
    server = uvicorn.Server(config)
    with socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a client may connect before the server has started
        url = "http://{}:{}".format(*listener.getsockname())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while httpx.get(f"{url}/readyz").status_code != 200:
                time.sleep(0.05)
            found.clear()
            answer = httpx.post(f"{url}/v1/emotions", content=ASTRONAUT_FILE.read_bytes(), headers={
                "Content-Type": "image/png"
            })  # fmt: skip
        finally:
            server.should_exit = True
            thread.join()
    assert answer.status_code == 200


def model(plans: Path, _: Calls) -> None:
    """Build a model into an empty folder, then find its plan and run it."""
    spec, engine = Catalog.load().get("landmarks-64"), OnnxRuntime()
    build(spec, engine, plans)
    path = find(spec, engine, plans)[0]
    engine.open(path, spec)


@pytest.mark.parametrize("way", [request, model], ids=lambda way: way.__name__)
def test_the_code_takes_the_documented_way(
    way: Callable[[Path, Calls], None], plans: Path, tmp_path: Path
) -> None:
    stops = documented(way.__name__)
    with calls() as found:
        way(plans if way is request else tmp_path, found)
    assert 1 < len(stops) <= MOST[way.__name__]
    assert [stop for stop in stops if stop not in found] == []
    order = [list(found).index(stop) for stop in stops]
    assert order == sorted(order)
