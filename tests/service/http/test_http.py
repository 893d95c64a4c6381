"""Requests and answers: forms, parameters, errors, limits, deadlines."""

import asyncio
import base64
import json
import random
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from service.settings import Settings
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, group, iou, read
from tests.server import Server
from tests.service.in_process import client_of
from tests.service.load import metric

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
HOPPER = HOPPER_FILE.read_bytes()
BLANK = encode(np.zeros((64, 64, 3), np.uint8))
BROKEN = HOPPER[:5000]
URL = "/v1/emotions"
LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def post(server: Server, *images: bytes, **params: str) -> httpx.Response:
    files = [("images", (f"{i}.jpg", data)) for i, data in enumerate(images)]
    with server.client() as client:
        return client.post(URL, files=files, params=params)


def test_a_real_photograph(server: Server) -> None:
    answer = post(server, ASTRONAUT).json()
    assert answer["model"] == {
        "detector": "retinaface-mnet025",
        "landmarks": "landmarks-64",
        "emotion": "emotion-fer48",
        "embedder": None,
        "backend": "onnxruntime",
    }
    (image,) = answer["images"]
    assert (image["id"], image["width"], image["height"]) == ("0.jpg", 512, 512)
    (face,) = image["faces"]
    assert iou(face["box"], ASTRONAUT_BOX) > 0.6
    assert face["emotion"] == "happy"
    assert list(face["scores"]) == LABELS
    assert sum(face["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert max(face["scores"], key=face["scores"].__getitem__) == "happy"
    eyes, nose, mouth = face["landmarks"][:2], face["landmarks"][2], face["landmarks"][3:]
    assert eyes[0][0] < nose[0] < eyes[1][0]
    assert eyes[0][1] < nose[1] < mouth[0][1]
    assert face["embedding"] is None


def test_all_four_forms_of_a_request_give_the_same(server: Server) -> None:
    encoded = base64.b64encode(ASTRONAUT).decode()
    packed = msgspec.msgpack.encode({"images": [{"data": ASTRONAUT}]})
    with server.client() as client:
        answers = [
            client.post(URL, files=[("images", ("0", ASTRONAUT))]),
            client.post(URL, content=ASTRONAUT, headers={"content-type": "image/png"}),
            client.post(URL, json={"images": [{"data": encoded}]}),
            client.post(URL, json={"images": [{"id": "0", "data": encoded}]}),
            client.post(URL, content=packed, headers={"content-type": "application/msgpack"}),
        ]
    assert len({answer.content for answer in answers}) == 1


def test_no_face_is_an_empty_list(server: Server) -> None:
    assert post(server, BLANK).json()["images"][0]["faces"] == []


def test_one_bad_image_of_several_has_its_own_error(server: Server) -> None:
    answer = post(server, BLANK, BROKEN, b"text", ASTRONAUT)
    assert answer.status_code == 200
    images = answer.json()["images"]
    assert [image["id"] for image in images] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    codes = [image["error"] and image["error"]["code"] for image in images]
    assert codes == [None, "corrupt_image", "unsupported_media", None]
    assert len(images[3]["faces"]) == 1


def test_a_subset_of_labels_is_a_softmax_of_its_own(server: Server) -> None:
    whole = post(server, ASTRONAUT).json()["images"][0]["faces"][0]["scores"]
    face = post(server, ASTRONAUT, labels="happy,neutral,sad").json()["images"][0]["faces"][0]
    total = whole["happy"] + whole["neutral"] + whole["sad"]
    assert list(face["scores"]) == ["happy", "neutral", "sad"]
    for label, score in face["scores"].items():
        assert score == pytest.approx(whole[label] / total, abs=1e-4)


def problem(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert body["request_id"] == answer.headers["x-request-id"]
    detail: str = body["detail"]
    return detail


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (BROKEN, "image/jpeg", 422, "corrupt_image"),
        (b"hello", "image/jpeg", 415, "unsupported_media"),
        (b"hello", "text/plain", 415, "unsupported_media"),
        (b"hello", "", 415, "unsupported_media"),
        (b"", "image/jpeg", 400, "no_images"),
        (b'{"images": []}', "application/json", 400, "no_images"),
        (b'{"images": [{"data": "?"}]}', "application/json", 400, "invalid_request"),
        (b'{"images": [{}]}', "application/json", 400, "invalid_request"),
        (b"{", "application/json", 400, "invalid_request"),
        (b"\xc1", "application/msgpack", 400, "invalid_request"),
        (b"x", "multipart/form-data", 400, "invalid_request"),
        (b"x", "multipart/form-data; boundary=b", 400, "invalid_request"),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400, "no_images"),
    ],
)
def test_bad_bodies_are_typed_problems(
    server: Server, content: bytes, kind: str, status: int, code: str
) -> None:
    with server.client() as client:
        problem(client.post(URL, content=content, headers={"content-type": kind}), status, code)


@pytest.mark.parametrize(
    "params",
    [
        {"min_score": "2"},
        {"max_faces": "0"},
        {"labels": "glad"},
        {"labels": "sad,sad"},
        {"min_scor": "0.5"},
    ],
)
def test_bad_parameters_are_named(server: Server, params: dict[str, str]) -> None:
    detail = problem(post(server, ASTRONAUT, **params), 400, "invalid_request")
    assert next(iter(params)) in detail


def test_a_parameter_given_twice_is_named(server: Server) -> None:
    with server.client() as client:
        answer = client.post(f"{URL}?labels=sad&labels=happy", files={"images": BLANK})
    assert problem(answer, 400, "invalid_request").startswith("labels:")


def test_too_many_images(server: Server) -> None:
    assert "64" in problem(post(server, *[BLANK] * 65), 413, "too_large")


def test_unknown_addresses_and_methods(server: Server) -> None:
    with server.client() as client:
        problem(client.get("/nothing"), 404, "not_found")
        problem(client.get(URL), 405, "method_not_allowed")
        assert client.get(URL).headers["allow"] == "POST"
        assert client.post("/static/page.js").headers["allow"] == "GET, HEAD"
    assert metric(server, "emotions_requests_total", path=URL, status="405") >= 2


def test_a_request_id_is_echoed_only_if_it_is_harmless(server: Server) -> None:
    with server.client() as client:
        given = client.get("/livez", headers={"x-request-id": "frame-17"})
        forged = client.get("/livez", headers={"x-request-id": 'x", "level": "y'})
    assert given.headers["x-request-id"] == "frame-17"
    assert len(forged.headers["x-request-id"]) == 32


def test_health_models_docs_and_metrics(server: Server) -> None:
    post(server, ASTRONAUT)
    with server.client() as client:
        assert client.get("/livez").json() == {"live": True}
        ready = client.get("/readyz").json()
        models = client.get("/v1/models").json()["models"]
        assert client.get("/docs").status_code == 200
    assert (ready["ready"], ready["engine"]) == (True, "onnxruntime")
    assert [model["task"] for model in models] == ["detector", "landmarks", "emotion", "embedder"]
    assert models[1]["name"] == "landmarks-64"
    assert models[2]["labels"] == LABELS
    assert [model["same_person"] for model in models] == [None, None, None, 0.45]
    assert metric(server, "emotions_batch_items_count", network="detector") > 0
    assert metric(server, "emotions_queued_images") == 0
    assert metric(server, "emotions_images_total", outcome="ok") > 0
    assert metric(server, "emotions_engine_info", engine="onnxruntime") > 0


def test_log_lines_are_json_with_the_request_id(server: Server) -> None:
    with server.client() as client:
        client.post(URL, content=BLANK, headers={"content-type": "image/png", "x-request-id": "l1"})
    while '"request_id": "l1"' not in (log := server.log.read_text()):
        time.sleep(0.01)  # the line is written after the answer
    (text,) = [line for line in log.splitlines() if '"request_id": "l1"' in line]
    line = json.loads(text[text.index("{") :])  # Ray puts the name of the replica before it
    assert (line["path"], line["status"]) == (URL, 200)


async def test_ninety_six_at_once_equal_each_alone(server: Server) -> None:
    tiled = encode(group(3, 2)[0], "JPEG", quality=90)
    small = encode(np.ascontiguousarray(read(HOPPER_FILE)[::2, ::2]), "WEBP")
    images = [ASTRONAUT, HOPPER, tiled, small, BLANK, BROKEN, b"not an image"]
    kinds = {"content-type": "image/jpeg"}
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        alone = [await client.post(URL, content=data, headers=kinds) for data in images]
        order = [i % len(images) for i in range(96)]
        random.Random(0).shuffle(order)
        sent = (client.post(URL, content=images[i], headers=kinds) for i in order)
        together = await asyncio.gather(*sent)
    for index, answer in zip(order, together, strict=True):
        assert answer.status_code == alone[index].status_code
        if answer.status_code == 200:
            assert answer.content == alone[index].content
        else:
            assert answer.json()["code"] == alone[index].json()["code"]


async def test_limits_on_bodies_and_pixels(plans: Path) -> None:
    settings = Settings(plans=plans, max_body_bytes=2_000_000, max_pixels=300_000)
    headers = {"content-type": "image/jpeg"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 500_000

    async with client_of(settings) as client:
        large = encode(np.zeros((600, 600, 3), np.uint8))
        detail = problem(await client.post(URL, content=large, headers=headers), 413, "too_large")
        assert "pixels" in detail
        for content in (b"x" * 2_000_001, chunks()):
            answer = await client.post(URL, content=content, headers=headers)
            assert "2,000,000 bytes" in problem(answer, 413, "too_large")


async def test_a_key_is_needed_for_images_and_models(plans: Path) -> None:
    settings = Settings.model_validate({"plans": plans, "api_keys": "one, two"})
    async with client_of(settings) as client:
        for key in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": ""}):
            problem(await client.post(URL, content=BLANK, headers=key), 401, "unauthorized")
            problem(await client.get("/v1/models", headers=key), 401, "unauthorized")
        for key in ({"authorization": "Bearer two"}, {"x-api-key": "one"}):
            assert (await client.get("/v1/models", headers=key)).status_code == 200
        assert (await client.get("/livez")).status_code == 200


async def test_a_deadline_that_passes_is_504(plans: Path) -> None:
    async with client_of(Settings(plans=plans, deadline_s=0.001)) as client:
        answer = await client.post(URL, files={"images": ASTRONAUT})
        problem(answer, 504, "deadline_exceeded")


def test_a_client_s_own_deadline_counts(server: Server) -> None:
    headers = {"content-type": "image/png", "x-request-deadline-ms": "1"}
    with server.client() as client:
        problem(client.post(URL, content=ASTRONAUT, headers=headers), 504, "deadline_exceeded")
        headers["x-request-deadline-ms"] = "0"
        problem(client.post(URL, content=ASTRONAUT, headers=headers), 400, "invalid_request")


def test_no_inference_runs_after_the_deadline(server: Server) -> None:
    headers = {"content-type": "image/png"}
    with server.client() as client:
        before = detected(server)
        files = [("images", ("0", ASTRONAUT))] * 60
        late = client.post(URL, files=files, headers={"x-request-deadline-ms": "300"})
        problem(late, 504, "deadline_exceeded")
        for _ in range(2):  # answered after the images under way
            client.post(URL, content=BLANK, headers=headers)
        assert detected(server) - before < 50


def test_images_of_clients_that_disconnected_are_dropped(server: Server) -> None:
    request = b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
    request += b"content-length: %d\r\n\r\n" % len(ASTRONAUT) + ASTRONAUT
    before = dropped(server)
    for _ in range(30):
        with socket.create_connection(address(server)) as client:
            client.sendall(request)
    for _ in range(100):
        if dropped(server) > before:
            return
        time.sleep(0.05)
    pytest.fail("no image was dropped")


def dropped(server: Server) -> float:
    return metric(server, "emotions_dropped_images_total", reason="gone")


def detected(server: Server) -> float:
    """Return how many images the detector has seen."""
    return metric(server, "emotions_batch_items_sum", network="detector")


def address(server: Server) -> tuple[str, int]:
    url = httpx.URL(server.url)
    return url.host, url.port or 80
