"""What crosses HTTP, against a real uvicorn process."""

import asyncio
import base64
import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, group, iou, read
from tests.server import Server, serving

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
        (ASTRONAUT, "text/plain", 415, "unsupported_media"),
        (ASTRONAUT, "", 415, "unsupported_media"),
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
        assert 'path="/v1/emotions",status="405"' in client.get("/metrics").text


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
        metrics = client.get("/metrics").text
    assert (ready["ready"], ready["engine"]) == (True, "onnxruntime")
    assert [model["task"] for model in models] == ["detector", "landmarks", "emotion", "embedder"]
    assert models[1]["name"] == "landmarks-64"
    assert models[2]["labels"] == LABELS
    assert [model["same_person"] for model in models] == [None, None, None, 0.45]
    assert 'emotions_batch_items_count{network="detector"}' in metrics
    assert "emotions_queued_images 0.0" in metrics
    assert 'emotions_images_total{outcome="ok"}' in metrics
    assert "onnxruntime" in metrics


def test_log_lines_are_json_with_the_request_id(server: Server) -> None:
    with server.client() as client:
        client.post(URL, content=BLANK, headers={"content-type": "image/png", "x-request-id": "l1"})
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (line,) = [line for line in lines if line.get("request_id") == "l1"]
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


def test_limits_keys_and_overload(plans: Path) -> None:
    serves = serving(
        plans, max_queue="1", max_body_bytes="2000000", max_pixels="300000", api_keys="one, two"
    )
    with serves as server, server.client() as client:
        problem(client.post(URL, content=ASTRONAUT), 401, "unauthorized")
        client.headers["authorization"] = "Bearer wrong"
        problem(client.get("/v1/models"), 401, "unauthorized")
        client.headers["authorization"] = "Bearer two"
        assert client.get("/v1/models").status_code == 200
        assert client.get("/readyz").status_code == 200
        headers = {"content-type": "image/jpeg"}
        big = encode(np.zeros((600, 600, 3), np.uint8))
        assert "pixels" in problem(client.post(URL, content=big, headers=headers), 413, "too_large")
        problem(client.post(URL, content=b"x" * 2_000_001, headers=headers), 413, "too_large")
        chunks = iter([b"x" * 500_000] * 5)
        problem(client.post(URL, content=chunks, headers=headers), 413, "too_large")
        codes = asyncio.run(_burst(server, 24))
    assert set(codes) == {200, 503}


async def _burst(server: Server, count: int) -> list[int]:
    headers = {"x-api-key": "one", "content-type": "image/png"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
        answers = await asyncio.gather(*(client.post(URL, content=ASTRONAUT) for _ in range(count)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    return [answer.status_code for answer in answers]


def test_a_deadline_that_passes_is_504(plans: Path) -> None:
    with serving(plans, deadline_s="0.001") as server:
        problem(post(server, ASTRONAUT), 504, "deadline_exceeded")


def test_a_client_s_own_deadline_counts(server: Server) -> None:
    headers = {"content-type": "image/png", "x-request-deadline-ms": "1"}
    with server.client() as client:
        problem(client.post(URL, content=ASTRONAUT, headers=headers), 504, "deadline_exceeded")
        headers["x-request-deadline-ms"] = "0"
        problem(client.post(URL, content=ASTRONAUT, headers=headers), 400, "invalid_request")


def test_what_is_too_late_costs_no_more_inference(server: Server) -> None:
    def ran(client: httpx.Client) -> int:
        text = client.get("/metrics").text
        found = re.search(r'emotions_batch_items_sum\{network="detector"\} (\d+)', text)
        return int(found[1]) if found else 0

    headers = {"content-type": "image/png"}
    with server.client() as client:
        before = ran(client)
        files = [("images", ("0", ASTRONAUT))] * 60
        late = client.post(URL, files=files, headers={"x-request-deadline-ms": "300"})
        problem(late, 504, "deadline_exceeded")
        for _ in range(2):  # after what was under way
            client.post(URL, content=BLANK, headers=headers)
        assert ran(client) - before < 50


def test_a_slow_sender_is_not_waited_for(plans: Path) -> None:
    head = b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"
    with (
        serving(plans, deadline_s="1") as server,
        socket.create_connection(_address(server), timeout=30) as slow,
    ):
        slow.sendall(head)
        assert slow.recv(1000).startswith(b"HTTP/1.1 504 ")


def test_what_nobody_waits_for_is_dropped(plans: Path) -> None:
    with serving(plans, workers="1") as server:
        body = ASTRONAUT
        head = f"POST {URL} HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\n"
        request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
        for _ in range(30):
            with socket.create_connection(_address(server)) as client:
                client.sendall(request)
        with server.client() as client:
            client.post(URL, content=body, headers={"content-type": "image/png"})
            text = client.get("/metrics").text
        ran = re.search(r'emotions_batch_items_sum\{network="detector"\} (\d+)', text)
    assert ran is not None
    assert int(ran[1]) < 25


def test_sigterm_finishes_what_was_accepted(plans: Path) -> None:
    with serving(plans) as server:
        results: list[int] = []

        def send() -> None:
            results.append(post(server, *[ASTRONAUT] * 16).status_code)

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        _await_under_way(server)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert server.process.wait(30) == 0
    assert results == [200] * 4


def test_a_second_sigterm_ends_at_once(plans: Path) -> None:
    with serving(plans) as server, socket.create_connection(_address(server)) as slow:
        slow.sendall(b"POST /v1/emotions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
        with server.client() as client:
            client.get("/livez")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None, "the first one waits for what was accepted"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 128 + signal.SIGTERM


def _address(server: Server) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return host, int(port)


def _await_under_way(server: Server) -> None:
    """Wait until a batch has run: then the requests were accepted."""
    with server.client() as client:
        for _ in range(400):
            text = client.get("/metrics").text
            if 'emotions_batch_items_count{network="detector"} 0.0' not in text:
                return
            time.sleep(0.01)


def test_a_port_in_use_is_told_in_a_sentence(plans: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = _serve(plans, "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 1
    assert "--host and --port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_plan_names_the_command(tmp_path: Path) -> None:
    ended = _serve(tmp_path, "--port", "0")
    assert ended.returncode == 1
    assert "emotions build --engine onnxruntime --precision fp32 retinaface-mnet025" in ended.stderr
    assert "Traceback" not in ended.stderr


def _serve(plans: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "offline.cli", "serve", *options],
        env={"EMOTIONS_PLANS": str(plans), "EMOTIONS_ENGINE": "onnxruntime", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
