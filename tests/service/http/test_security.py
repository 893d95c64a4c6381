"""A service with keys as a whole: limits per key, headers, foreign pages, logs and files."""

import asyncio
import base64
import json
import re
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from service.http.app import create_app
from service.settings import Settings
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode
from tests.server import Server, serving
from tests.waiting import until

ASTRONAUT = ASTRONAUT_FILE.read_bytes()
URL = "/v1/emotions"
PNG = {"content-type": "image/png"}
FLOODER, QUIET, FILED, LATER = "sesame-flooder", "sesame-quiet", "sesame-filed", "sesame-later"
PAGE = "https://films.example"
SECRETS = (FLOODER, QUIET, FILED, LATER, "sesame-wrong", "signature=")

# Runs first in the process of the server and records each file that is written.
AUDIT = """
import os, sys
written = os.open(os.environ["WRITTEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def audit(event, given):
    if event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR):
        os.write(written, f"open {given[0]}\\n".encode())
    elif event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
        os.write(written, f"{event} {given[0]}\\n".encode())
sys.addaudithook(audit)
"""


class Images(BaseHTTPRequestHandler):
    """Serves one photograph at `/a.png`."""

    def do_GET(self) -> None:
        found = self.path.startswith("/a.png")
        self.send_response(200 if found else 404)
        self.send_header("content-length", str(len(ASTRONAUT) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(ASTRONAUT)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def images() -> Iterator[int]:
    """Start a server of images; return its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Images) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the file of keys, and of the list of files that the server wrote."""
    return tmp_path_factory.mktemp("guarded")


def filed(*keys: str) -> str:
    return "".join(f"studio:{sha256(key.encode()).hexdigest()}\n" for key in keys)


@pytest.fixture(scope="module")
def guarded(plans: Path, images: int, folder: Path) -> Iterator[Server]:
    """A service with keys, URLs and CORS, at debug level, that records the files it writes."""
    (folder / "sitecustomize.py").write_text(AUDIT)
    (folder / "keys").write_text(filed(FILED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("WRITTEN", str(folder / "written"))
        patch.setenv("TMPDIR", "/nowhere")
        with serving(
            plans,
            log_level="debug",
            api_keys=f"flooder:{FLOODER},quiet:{QUIET}",
            api_keys_file=str(folder / "keys"),
            max_images_per_key="4",
            max_queue="16",
            cors_origins=PAGE,
            url_allow=f"http://127.0.0.1:{images},http://localhost:1",
            url_networks="127.0.0.1/32",
        ) as server:
            yield server


def client(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=60, headers={"x-api-key": key})


def test_a_key_opens_until_its_line_is_taken_out(guarded: Server, folder: Path) -> None:
    def status(key: str) -> int:
        with client(guarded, key) as asking:
            return asking.get("/v1/models").status_code

    assert [status(key) for key in (FILED, LATER, QUIET, "sesame-wrong")] == [200, 401, 200, 401]
    (folder / "keys").write_text(filed(FILED, LATER))
    until(lambda: status(LATER) == 200)
    assert status(FILED) == 200
    (folder / "keys").write_text(filed(LATER))
    until(lambda: status(FILED) == 401)
    assert [status(key) for key in (LATER, QUIET)] == [200, 200]


def test_a_flood_by_one_key_leaves_another_served(guarded: Server) -> None:
    """More clients than the queue has places send requests in a loop, despite errors."""
    stop, answers = threading.Event(), []

    async def flood() -> None:
        async with httpx.AsyncClient(
            base_url=guarded.url,
            timeout=60,
            headers={"x-api-key": FLOODER} | PNG,
            limits=httpx.Limits(max_connections=None),
        ) as flooder:

            async def ask() -> None:
                while not stop.is_set():
                    answers.append(await flooder.post(URL, content=ASTRONAUT))
                    await asyncio.sleep(0.01)

            await asyncio.gather(*(ask() for _ in range(32)))

    thread = threading.Thread(target=lambda: asyncio.run(flood()))
    thread.start()
    try:
        while not any(answer.status_code == 429 for answer in answers):
            thread.join(0.05)
        with client(guarded, QUIET) as quiet:
            served = [quiet.post(URL, content=ASTRONAUT, headers=PNG) for _ in range(8)]
    finally:
        stop.set()
        thread.join()
    assert [answer.status_code for answer in served] == [200] * 8
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "too_many_requests"


def test_usage_is_counted_by_name_of_key(guarded: Server) -> None:
    with client(guarded, QUIET) as quiet:
        quiet.post(URL, content=ASTRONAUT, headers=PNG)
        text = quiet.get("/metrics").text
    assert re.search(r'emotions_key_images_total\{key="quiet"\} [1-9]', text)
    assert not any(secret in text for secret in SECRETS)


def test_an_image_gives_the_same_by_url_as_by_bytes(guarded: Server, images: int) -> None:
    base = f"http://127.0.0.1:{images}"
    images_sent = [
        {"id": "0", "url": f"{base}/a.png?signature=secret"},
        {"url": f"{base}/missing.png"},
        {"url": "http://169.254.169.254/latest/meta-data"},
        {"url": f"http://localhost:{images}/a.png"},
        {"url": "http://localhost:1/a.png"},
        {"id": "0", "data": base64.b64encode(ASTRONAUT).decode()},
    ]
    packed = msgspec.msgpack.encode({"images": images_sent[:1]})
    with client(guarded, QUIET) as quiet:
        found = quiet.post(URL, json={"images": images_sent}).json()["images"]
        same = quiet.post(URL, content=packed, headers={"content-type": "application/msgpack"})
        only = quiet.post(URL, json={"images": images_sent[2:3]})
        both = quiet.post(URL, json={"images": [images_sent[0] | images_sent[5]]})
        none = quiet.post(URL, json={"images": [{"url": "x"}]})
    codes = [image["error"] and image["error"]["code"] for image in found]
    refused = "url_refused"
    assert codes == [None, "fetch_failed", refused, refused, found[4]["error"]["code"], None]
    assert codes[4] in (
        "url_refused",
        "fetch_failed",
    )  # refused if localhost also has the address ::1
    assert found[0] == found[5] == same.json()["images"][0]
    assert (only.status_code, only.json()["code"]) == (403, "url_refused")
    assert (both.status_code, none.status_code) == (400, 400)
    assert "either data or url" in both.json()["detail"]


def test_urls_are_off_unless_turned_on(server: Server) -> None:
    with server.client() as asking:
        answer = asking.post(URL, json={"images": [{"url": "https://example.com/a.png"}]})
    assert (answer.status_code, answer.json()["code"]) == (403, "url_refused")


def test_every_answer_has_the_strict_headers(guarded: Server) -> None:
    with client(guarded, QUIET) as quiet:
        answers = [
            quiet.get("/livez"),
            quiet.get("/nothing"),
            quiet.get("/openapi.json"),
            quiet.post(URL, content=ASTRONAUT, headers=PNG),
            quiet.post(URL, content=ASTRONAUT, headers=PNG | {"accept": "application/jsonl"}),
            quiet.post(URL, content=b"", headers=PNG),
            quiet.post(URL, headers={"x-api-key": "sesame-wrong"}),
        ]
        pages = [quiet.get("/"), quiet.get("/docs"), quiet.get("/static/page.js")]
    for answer in [*answers, *pages]:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in answer.headers
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


def test_the_openapi_document_names_the_ways_to_send_a_key(guarded: Server) -> None:
    with client(guarded, QUIET) as quiet:
        paths = quiet.get("/openapi.json").json()["paths"]
    assert paths[URL]["post"]["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}]
    assert paths["/v1/models"]["get"]["security"] == paths[URL]["post"]["security"]
    assert "security" not in paths["/livez"]["get"]


def test_only_pages_of_listed_origins_may_send_requests(guarded: Server, server: Server) -> None:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    with client(guarded, QUIET) as quiet, server.client() as closed:
        allowed = quiet.options(URL, headers=asks | {"origin": PAGE})
        answer = quiet.get("/livez", headers={"origin": PAGE})
        other = quiet.options(URL, headers=asks | {"origin": "https://evil.example"})
        shut = closed.options(URL, headers=asks | {"origin": PAGE})
        silent = closed.get("/livez", headers={"origin": PAGE})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    assert other.status_code == 400
    assert shut.status_code == 204  # without CORS, too: a health check of HAProxy looks the same
    for refused in (other, shut, silent):
        assert "access-control-allow-origin" not in refused.headers


def test_images_are_never_written_to_disk(guarded: Server, folder: Path) -> None:
    """By default, Starlette writes parts of forms from 1 MB on to a file."""
    noise = np.random.default_rng(0).integers(0, 255, (1300, 1300, 3), np.uint8)
    large = encode(noise, "BMP")
    assert len(large) > 5_000_000
    with client(guarded, QUIET) as quiet:
        answer = quiet.post(URL, files=[("images", ("a.bmp", large)), ("images", ("b", large))])
        packed = msgspec.msgpack.encode({"images": [{"data": large}]})
        quiet.post(URL, content=packed, headers={"content-type": "application/msgpack"})
    assert answer.status_code == 200
    assert [image["error"] for image in answer.json()["images"]] == [None, None]
    paths = (folder / "written").read_text().splitlines()
    harmless = ("open /dev/null", "open /dev/shm", "open /proc/self")
    assert [line for line in paths if not line.startswith(harmless)] == []


def test_no_key_image_or_embedding_is_in_the_log(guarded: Server, images: int) -> None:
    """Even at debug level, after each kind of body, complete and damaged."""
    hopper = HOPPER_FILE.read_bytes()
    encoded = base64.b64encode(hopper).decode()
    form = b"--b\r\ncontent-disposition: form-data; name=images; filename=a\r\n\r\n"
    bodies = [
        (hopper, "image/jpeg"),
        (hopper[:5000], "image/jpeg"),
        (json.dumps({"images": [{"data": encoded}]}).encode(), "application/json"),
        (json.dumps({"images": [{"data": encoded[1:]}]}).encode(), "application/json"),
        (json.dumps({"images": [{"data": encoded}]}).encode()[:-9], "application/json"),
        (msgspec.msgpack.encode({"images": [{"data": hopper}]}), "application/msgpack"),
        (
            msgspec.msgpack.encode({"images": [{"data": hopper, "x": hopper}]}),
            "application/msgpack",
        ),
        (form + hopper + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"),
        (form + hopper + b"\r\n--b--\r\n" + hopper, "multipart/form-data; boundary=b"),
        (form + hopper, "multipart/form-data; boundary=b"),
        (hopper, "multipart/form-data; boundary=b"),
        (form[:30] + hopper, "multipart/form-data; boundary=b"),
    ]
    link = {"images": [{"url": f"http://127.0.0.1:{images}/a.png?signature=secret"}]}
    with client(guarded, QUIET) as quiet:
        for body, kind in bodies:
            quiet.post(URL, content=body, headers={"content-type": kind})
        quiet.post(URL, json=link)
        quiet.post(URL, json=link, headers={"authorization": "Bearer sesame-wrong"})
        scores = quiet.post(URL, content=ASTRONAUT, headers=PNG).json()["images"][0]["faces"][0]
    log = guarded.log.read_text()
    assert '"key": "quiet"' in log
    assert '"level": "debug"' in log, "the level counts"
    assert not [secret for secret in SECRETS if secret in log]
    assert str(scores["scores"]["happy"]) not in log
    # Pieces of the photograph, in each form in which a log line might contain them.
    pieces = [hopper[at : at + 12] for at in range(200, len(hopper) - 12, 997)]
    forms = [repr(piece)[2:-1] for piece in pieces] + [piece.hex() for piece in pieces]
    forms += [encoded[at : at + 24] for at in range(0, len(encoded) - 24, 997)]
    assert not [form for form in forms if form in log]


async def test_documentation_can_be_switched_off(plans: Path) -> None:
    app = create_app(Settings(plans=plans, docs=False))
    paths = ("/docs", "/openapi.json", "/redoc", "/swagger/swagger-ui.css", "/")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://service"
    ) as asking:
        found = [(await asking.get(path)).status_code for path in paths]
        page = await asking.get("/")
    assert found == [404, 404, 404, 404, 200]
    assert 'href="docs"' not in page.text
    assert "frame-ancestors" in page.headers["content-security-policy"]
