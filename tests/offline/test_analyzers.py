"""Analyzers with the networks here and with a service: thresholds and embeddings."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from analysis.document import ImageResult
from analysis.types import Options
from engines.types import U8
from offline.analyzers import open_analyzer
from offline.errors import RemoteError
from service.settings import Settings
from tests.offline.conftest import SAME_PERSON
from tests.photographs import ASTRONAUT_FILE, encode, read
from tests.server import Server


@pytest.mark.parametrize("remote", [False, True])
async def test_the_threshold_is_that_of_the_embedder(
    plans: Path, catalog: Path, strict_server: Server, with_key: Settings, remote: bool
) -> None:
    here = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1, catalog=catalog)
    settings, url = (with_key, strict_server.url) if remote else (here, None)
    async with open_analyzer(settings, Options(), url) as analyzer:
        assert analyzer.same_person == SAME_PERSON


@pytest.mark.parametrize("remote", [False, True])
async def test_embeddings_are_computed_only_if_requested(
    plans: Path, strict_server: Server, with_key: Settings, remote: bool
) -> None:
    here = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    settings, url = (with_key, strict_server.url) if remote else (here, None)
    image = read(ASTRONAUT_FILE)
    for embeddings, identify in ((False, True), (False, False), (True, False)):
        options = Options(embeddings=embeddings)
        async with open_analyzer(settings, options, url, identify=identify) as analyzer:
            (face,) = (await analyzer.analyze_frame("0", image)).faces
        assert (face.embedding is not None) == (embeddings or identify)


@pytest.mark.parametrize("remote", [False, True])
async def test_the_options_of_a_face_reach_the_networks(
    plans: Path, server: Server, remote: bool
) -> None:
    here = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    settings, url = (Settings(), server.url) if remote else (here, None)

    async def analyzed(options: Options, image: U8) -> ImageResult:
        async with open_analyzer(settings, options, url) as analyzer:
            return (await analyzer.analyze("a.png", encode(image, "PNG")))[0]

    upright = read(ASTRONAUT_FILE)
    found = await analyzed(Options(orientation="auto"), np.rot90(upright[:300, 80:380]))
    assert (found.turned, [face.emotion for face in found.faces]) == (90, ["happy"])
    assert (await analyzed(Options(min_quality=1.0), upright)).faces == []
    long = await analyzed(Options(min_face=12), np.zeros((1000, 8000, 3), np.uint8))
    assert long.error is not None
    assert long.error.code == "min_face_too_small"


class EarlierService(BaseHTTPRequestHandler):
    """Answers as versions did whose faces had no quality."""

    def do_GET(self) -> None:
        model: dict[str, object] = {"name": "own", "task": "emotion", "version": "1"}
        model |= {"licence": "mine", "engine": "onnxruntime", "precision": "fp32"}
        self._reply({"models": [model | {"labels": ["calm", "happy"]}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        face = {"box": [0, 0, 9, 9], "score": 0.9, "landmarks": [[1, 1]] * 5, "emotion": "calm"}
        image = {"id": "0", "width": 9, "height": 9, "error": None}
        model = {"detector": "own", "emotion": "own", "backend": "own"}
        faces = [face | {"scores": {"calm": 0.8, "happy": 0.2}}]
        self._reply({"model": model, "images": [image | {"faces": faces}]})

    def log_message(self, *_: object) -> None:
        pass

    def _reply(self, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def earlier() -> Iterator[str]:
    """The URL of a service of an earlier version."""
    with ThreadingHTTPServer(("127.0.0.1", 0), EarlierService) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_address[1]}"
        service.shutdown()


async def test_a_service_of_an_earlier_version_is_named(earlier: str) -> None:
    async with open_analyzer(Settings(), Options(), earlier) as analyzer:
        with pytest.raises(RemoteError, match=f"{earlier}.*earlier version"):
            await analyzer.analyze("0", b"an image")
