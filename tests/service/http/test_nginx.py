"""The service behind nginx and HAProxy: a prefix, large bodies, streams, health checks."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.photographs import encode
from tests.server import Server, serving
from tests.service.http.proxies import haproxy, nginx
from tests.service.load import PLAIN, metric

KEPT = ("http://emotions;", "http://emotions;")
REMOVED = ("http://emotions;", "http://emotions/;")
UNBUFFERED = ("proxy_read_timeout", "proxy_request_buffering off;\n proxy_read_timeout")
# nginx's default before version 1.29.7; it reads chunks in answers all the same.
NEW_PROTOCOL = ("proxy_http_version 1.1;", "proxy_http_version 1.1;")
OLD_PROTOCOL = ("proxy_http_version 1.1;", "proxy_http_version 1.0;")
URL = "/emotions/v1/emotions"
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def service(plans: Path) -> Iterator[Server]:
    with serving(
        plans,
        engine="bench.fakes:instant:1",
        root_path="/emotions",
    ) as running:
        yield running


def upstream(service: Server) -> str:
    return service.url.removeprefix("http://")


@pytest.mark.parametrize("change", [KEPT, REMOVED], ids=["kept", "removed"])
def test_pages_and_the_api_below_a_prefix(
    service: Server, tmp_path: Path, change: tuple[str, str]
) -> None:
    with (
        nginx(tmp_path, upstream(service), change) as url,
        httpx.Client(base_url=url, follow_redirects=True) as client,
    ):
        assert client.get("/emotions").url.path == "/emotions/"
        assert client.get("/emotions/docs/").history[0].headers["location"] == "../docs"
        for path in ("/", "/docs", "/static/page.js", "/swagger/swagger-ui.css", "/v1/models"):
            assert client.get(f"/emotions{path}").status_code == 200
        assert client.get("/emotions/openapi.json").json()["servers"] == [{"url": "/emotions"}]
        for path in ("/v1/emotions", "/v1/emotions/", "//v1/emotions"):
            answer = client.post(f"/emotions{path}", content=PLAIN, headers=PNG)
            assert answer.status_code == 200
            assert not answer.history
        assert client.get("/emotions/metrics/").status_code == 404
        for path in ("/metrics", "//metrics", "/%6detrics"):
            assert client.get(f"/emotions{path}").status_code == 403


@pytest.mark.parametrize("change", [KEPT, UNBUFFERED], ids=["buffered", "unbuffered"])
def test_a_body_of_twenty_megabytes(
    service: Server, tmp_path: Path, change: tuple[str, str]
) -> None:
    image = encode(np.zeros((2600, 2600, 3), np.uint8), "BMP")
    assert len(image) > 20_000_000
    with nginx(tmp_path, upstream(service), change) as url:
        answer = httpx.post(url + URL, content=image, headers=PNG, timeout=60)
    assert answer.json()["images"][0]["width"] == 2600


@pytest.mark.parametrize("change", [NEW_PROTOCOL, OLD_PROTOCOL], ids=["HTTP/1.1", "HTTP/1.0"])
def test_lines_arrive_before_the_last_image_is_done(
    plans: Path, tmp_path: Path, change: tuple[str, str]
) -> None:
    """The whole answer would fit into one of nginx's buffers."""
    image = encode(np.zeros((1000, 1000, 3), np.uint8), "PNG")
    files = [("images", (str(number), image)) for number in range(20)]
    with (
        serving(plans, engine="bench.fakes:instant:1", workers="1") as slow,
        nginx(tmp_path, upstream(slow), REMOVED, change) as url,
        httpx.stream(
            "POST", url + URL, files=files, headers={"accept": "application/jsonl"}, timeout=60
        ) as answer,
    ):
        lines = answer.iter_lines()
        assert "model" in next(lines)
        assert metric(slow, "emotions_images_under_way") > 0
        assert len(list(lines)) == 21


@pytest.mark.parametrize(
    "check",
    [
        "",  # OPTIONS / HTTP/1.0, without Host
        " GET /readyz",
        " HEAD /livez",
        " OPTIONS * HTTP/1.1\\r\\nHost:\\ service",
    ],
)
def test_haproxy_finds_the_service_healthy(service: Server, tmp_path: Path, check: str) -> None:
    with haproxy(tmp_path, upstream(service), check) as url, httpx.Client() as client:
        for _ in range(30):  # three failed checks would take the service out
            assert client.post(url + URL, content=PLAIN, headers=PNG).status_code == 200
            time.sleep(0.02)
