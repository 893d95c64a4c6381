"""The HTTP layer around a stub: readiness, names of models, start and end."""

from pathlib import Path

import msgspec
import pytest

from bench.fakes.asgi import ask
from bench.inputs.corpus import images
from service.settings import Settings
from tests.service.stub import stubbed

JPEG = images()["JPEG"]
KIND = {b"content-type": b"image/jpeg"}


async def test_ready_is_when_every_network_is(plans: Path) -> None:
    async with stubbed(Settings(plans=plans)) as app:
        assert (await ask(app, b"", {}, path="/readyz", method="GET")).status == 200
        app.state.pipeline.ready["landmarks"] = False
        found = await ask(app, b"", {}, path="/readyz", method="GET")
    body = msgspec.json.decode(found.body)
    assert (found.status, body["ready"]) == (503, False)
    assert body["networks"] == {"detector": True, "landmarks": False, "emotion": True}


@pytest.mark.parametrize(("landmarks", "name"), [("landmarks-64", "landmarks-64"), ("none", None)])
async def test_an_answer_names_the_networks_that_gave_it(
    plans: Path, landmarks: str, name: str | None
) -> None:
    async with stubbed(Settings(plans=plans, landmarks=landmarks)) as app:
        plain = await ask(app, JPEG, KIND)
        embedded = await ask(app, JPEG, KIND, b"embeddings=true")
        listed = await ask(app, b"", {}, path="/v1/models", method="GET")
    model = {"detector": "retinaface-mnet025", "landmarks": name, "emotion": "emotion-fer48"}
    assert msgspec.json.decode(plain.body)["model"] == model | {
        "embedder": None,
        "backend": "onnxruntime",
    }
    assert msgspec.json.decode(embedded.body)["model"]["embedder"] == "arcface-mobilefacenet"
    tasks = [card["task"] for card in msgspec.json.decode(listed.body)["models"]]
    assert tasks == ["detector", *(["landmarks"] if name else []), "emotion", "embedder"]


async def test_the_pipeline_is_closed_at_the_end(plans: Path) -> None:
    async with stubbed(Settings(plans=plans)) as app:
        assert not app.state.pipeline.closed
    assert app.state.pipeline.closed
