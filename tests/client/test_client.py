"""Both clients against a real server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from emotions_client import (
    AsyncClient,
    Client,
    Image,
    ImageResult,
    Options,
    RefusedError,
    Retry,
    Url,
)
from emotions_client.requests import query
from emotions_client.responses import IMAGE_CODES

from service.errors import InvalidRequestError
from service.http.images import IMAGE_ERRORS
from service.http.parameters import Query
from tests.client.fake import ONCE
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, iou, read
from tests.server import Server, serving

CLIENT = Path(__file__).parents[2] / "client"


def test_paths_bytes_and_named_images_in_one_request(server: Server) -> None:
    data = ASTRONAUT_FILE.read_bytes()
    with Client(server.url) as client:
        answer = client.analyze(ASTRONAUT_FILE, data, Image("mine", data), b"text")
        tasks = {"detector", "landmarks", "emotion", "embedder"}
        assert {model.task for model in client.models()} == tasks
    assert answer.model.landmarks == "landmarks-64"
    assert [image.id for image in answer.images] == [str(ASTRONAUT_FILE), "1", "mine", "3"]
    (face,) = answer.images[0].faces
    assert iou(list(face.box), ASTRONAUT_BOX) > 0.6
    assert face.emotion == max(face.scores, key=face.scores.__getitem__)
    assert len(face.landmarks) == 5
    assert face.pose is not None
    assert max(map(abs, (face.pose.yaw, face.pose.pitch, face.pose.roll))) < 30
    assert face.quality is not None
    assert 0.5 < face.quality <= 1
    assert answer.images[1].faces == answer.images[2].faces == (face,)
    assert answer.images[3].error is not None
    assert answer.images[3].error.code == "unsupported_media"


def test_options_and_errors(server: Server) -> None:
    with Client(server.url) as client:
        answer = client.analyze(ASTRONAUT_FILE, labels=["happy", "sad"], max_faces=1, min_score=0.4)
        assert list(answer.images[0].faces[0].scores) == ["happy", "sad"]
        with pytest.raises(RefusedError, match="labels") as refused:
            client.analyze(ASTRONAUT_FILE, labels=["glad"])
        embedded = client.analyze(ASTRONAUT_FILE, embeddings=True)
        with pytest.raises(FileNotFoundError):
            client.analyze(Path("nothing.jpg"))
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")
    assert len(refused.value.request_id) == 32
    assert embedded.model.embedder == "arcface-mobilefacenet"
    assert len(embedded.images[0].faces[0].embedding or ()) == 128


def test_every_option_of_the_service_is_an_option_of_the_client() -> None:
    assert {*Options.__annotations__} == {*Query.model_fields}
    assert query(
        {"embeddings": True, "labels": ("a", "b"), "min_face": 40, "min_quality": None}
    ) == {"embeddings": "true", "labels": "a,b", "min_face": "40"}


def test_an_unknown_option_is_refused_with_the_nearest_one(server: Server) -> None:
    with Client(server.url) as client, pytest.raises(RefusedError, match="did you mean min_face"):
        client.analyze(ASTRONAUT_FILE, minface=40)  # type: ignore[call-arg]


def test_small_turned_and_unclear_faces(server: Server) -> None:
    lying = encode(np.rot90(read(HOPPER_FILE)))
    with Client(server.url) as client:
        (image,) = client.analyze(lying, min_face=40, orientation="auto", min_quality=0.1).images
        assert client.analyze(ASTRONAUT_FILE, min_face="fast", min_quality=1).images[0].faces == ()
    assert image.turned == 90
    assert len(image.faces) == 1


def test_errors_of_one_image_are_those_of_the_service() -> None:
    codes = {kind.code for kind in IMAGE_ERRORS} - {InvalidRequestError.code}
    assert codes == IMAGE_CODES  # an invalid request may also be wrong as a whole


def test_a_folder_streams_in_order_sync_and_async(server: Server, folder: Path) -> None:
    with Client(server.url) as client:
        found = list(client.stream_folder(folder, concurrency=2))

    async def together() -> list[ImageResult]:
        async with AsyncClient(server.url) as client:
            return [result async for result in client.stream_folder(folder, concurrency=2)]

    assert [Path(result.id).name for result in found] == ["a.jpg", "astronaut.png", "hopper.jpg"]
    assert found[0].error is not None
    assert found[0].error.code == "corrupt_image"
    assert [len(result.faces) for result in found] == [0, 1, 1]
    assert asyncio.run(together()) == found


@pytest.fixture(scope="module")
def busy(plans: Path) -> Iterator[Server]:
    """A service with a key that admits one image at a time."""
    with serving(plans, api_keys="sesame", max_queue="1") as server:
        yield server


def test_the_key_is_sent(busy: Server) -> None:
    with Client(busy.url) as client, pytest.raises(RefusedError, match="401 unauthorized"):
        list(client.stream([ASTRONAUT_FILE]))
    with Client(busy.url, key="sesame") as client:
        assert len(client.analyze(ASTRONAUT_FILE).images[0].faces) == 1


def test_an_overloaded_service_is_retried_until_all_images_are_done(busy: Server) -> None:
    with Client(busy.url, key="sesame", retry=Retry(attempts=50, first_s=0.05)) as client:
        found = list(client.stream([ASTRONAUT_FILE] * 4, concurrency=4))
    assert [len(result.faces) for result in found] == [1] * 4
    assert 'status="503"' in httpx.get(f"{busy.url}/metrics").text


def test_results_come_one_by_one_sync_and_async(server: Server, folder: Path) -> None:
    images: list[Path | bytes] = [*sorted(folder.rglob("*.*")), ASTRONAUT_FILE.read_bytes()]
    with Client(server.url, retry=ONCE) as client:
        whole = client.analyze(*images)
        found = list(client.analyze_each(*images))
        with pytest.raises(RefusedError, match="422 corrupt_image"):
            list(client.analyze_each(folder / "a.jpg"))
        with pytest.raises(RefusedError, match="url_refused"):
            list(client.analyze_each(Url("a", "https://example.com/a.jpg")))

    async def together() -> list[ImageResult]:
        async with AsyncClient(server.url, retry=ONCE) as client:
            return [result async for result in client.analyze_each(*images)]

    assert tuple(found) == whole.images
    assert asyncio.run(together()) == found


def run(*arguments: str | Path) -> str:
    ended = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout


def test_the_examples_run(server: Server, folder: Path) -> None:
    one = run(CLIENT / "examples" / "one.py", server.url, ASTRONAUT_FILE)
    assert one.split()[1].endswith("%")
    counted = run(CLIENT / "examples" / "folder.py", server.url, folder)
    assert sum(int(line.split()[1]) for line in counted.splitlines()) == 2


def test_it_imports_nothing_of_the_service() -> None:
    loaded = run("-c", "import sys, emotions_client; print(*sys.modules)").split()
    assert not {"numpy", "fastapi", "pydantic", "service", "engines", "PIL"} & {*loaded}
