"""What balancers, proxies and browsers send beside the documented calls, byte by byte."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.inputs.corpus import images
from service.settings import Settings
from tests.cases import Case
from tests.hostile.test_connections import connect, exchange
from tests.server import Server, serving
from tests.service.load import metric
from tests.waiting import until

JPEG = images()["JPEG"]
PAGE = "https://films.example"
HOST = "host: x"
UPGRADE = "connection: upgrade, http2-settings, close", "http2-settings: AAMAAABkAAQAAP__"
FORGED = (
    "x-forwarded-for: 6.6.6.6",
    "x-forwarded-host: evil.example",
    "x-forwarded-proto: gopher",
    "x-forwarded-prefix: //evil.example",
    "forwarded: for=6.6.6.6;host=evil.example",
)
PREFLIGHT = (HOST, f"origin: {PAGE}", "access-control-request-method: POST")
CHUNKED = b"%x\r\n" % len(JPEG) + JPEG + b"\r\n0\r\n"


def ask(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request whose connection closes after the answer."""
    close = () if "connection" in str(headers) else ("connection: close",)
    return "\r\n".join([line, *headers, *close, "", ""]).encode() + body


def send(line: str, *headers: str) -> bytes:
    """Return a request with a photograph in it."""
    kind, length = "content-type: image/jpeg", f"content-length: {len(JPEG)}"
    return ask(line, kind, length, *headers, body=JPEG)


Rows = list[tuple[Case, bytes]]
PREFIX: Rows = [
    (Case("`POST /emotions/v1/emotions`: the proxy leaves the prefix", "faces", "200, 1 face"),
     send("POST /emotions/v1/emotions HTTP/1.1", HOST)),
    (Case("`POST /v1/emotions`: the proxy removes the prefix", "faces", "200, 1 face"),
     send("POST /v1/emotions HTTP/1.1", HOST)),
    (Case("`POST /v1/emotions/`", "faces; a redirect would lose the body", "200, 1 face"),
     send("POST /v1/emotions/ HTTP/1.1", HOST)),
    (Case("`POST //v1/emotions`: a base URL that ends in a slash", "faces", "200, 1 face"),
     send("POST //v1/emotions HTTP/1.1", HOST)),
    (Case("`GET /emotions`, without the slash", "the page, with its files", "200"),
     ask("GET /emotions HTTP/1.1", HOST)),
    (Case("`GET /emotions/docs/`", "a redirect that fits any host, scheme and prefix",
          "307, `Location: ../docs`"),
     ask("GET /emotions/docs/ HTTP/1.1", HOST)),
    (Case("`X-Forwarded-*` and `Forwarded` from anybody", "no effect",
          "307, `Location: ../docs`"),
     ask("GET /emotions/docs/ HTTP/1.1", HOST, *FORGED)),
    (Case("`GET /metrics`", "metrics", "200"), ask("GET /metrics HTTP/1.1", HOST)),
    (Case("`GET /emotions/metrics`", "no way around a rule for `/metrics`", "404 `not_found`"),
     ask("GET /emotions/metrics HTTP/1.1", HOST)),
    (Case("`GET //metrics`", "no way around a rule for `/metrics`", "404 `not_found`"),
     ask("GET //metrics HTTP/1.1", HOST)),
]  # fmt: skip
CHECKS: Rows = [
    (Case("ALB: `GET /`, `Host` is an address", "healthy", "200"),
     ask("GET / HTTP/1.1", "host: 10.0.0.7:8000", "user-agent: ELB-HealthChecker/2.0")),
    (Case("Kubernetes: `GET /readyz`", "healthy", "200"),
     ask("GET /readyz HTTP/1.1", "host: 10.0.0.7:8000", "user-agent: kube-probe/1.33")),
    (Case("uptime monitors: `HEAD /livez`", "healthy", "200"),
     ask("HEAD /livez HTTP/1.1", HOST)),
    (Case("`HEAD /readyz`, `/v1/models`, `/metrics`, `/docs`, `/openapi.json`", "as `GET`", "200"),
     ask("HEAD /readyz HTTP/1.1", HOST)),
    (Case("`GET /livez/`", "healthy", "200"), ask("GET /livez/ HTTP/1.1", HOST)),
    (Case("HAProxy: `OPTIONS / HTTP/1.0` without `Host`", "healthy",
          "204, `Allow: GET, HEAD`"), ask("OPTIONS / HTTP/1.0")),
    (Case("HAProxy: `OPTIONS *`", "healthy", "204, `Allow: GET, HEAD`"),
     ask("OPTIONS * HTTP/1.1", HOST)),
    (Case("Google Cloud: `GET /livez HTTP/1.0`", "healthy", "200"), ask("GET /livez HTTP/1.0")),
    (Case("`GET /health`, `/healthz`, `/ping`", "an error that names the right paths",
          "404 `not_found`"), ask("GET /health HTTP/1.1", HOST)),
]  # fmt: skip
PROTOCOL: Rows = [
    (Case("`Upgrade: h2c` with a body, as Java sends it", "faces, in HTTP/1.1", "200, 1 face"),
     send("POST /v1/emotions HTTP/1.1", HOST, "upgrade: h2c", *UPGRADE)),
    (Case("`Upgrade: websocket`", "an answer in HTTP/1.1", "200"),
     ask("GET /livez HTTP/1.1", HOST, "upgrade: websocket", "connection: upgrade, close")),
    (Case("`Expect: 100-continue`, as curl sends it from 1 MB on", "faces",
          "100, then 200, 1 face"),
     send("POST /v1/emotions HTTP/1.1", HOST, "expect: 100-continue")),
    (Case("HTTP/1.0 with a body, as nginx sends it by default", "faces", "200, 1 face"),
     send("POST /v1/emotions HTTP/1.0", HOST)),
    (Case("chunks, with trailers", "faces", "200, 1 face"),
     ask("POST /v1/emotions HTTP/1.1", HOST, "content-type: image/jpeg",
         "transfer-encoding: chunked", "trailer: x-sum", body=CHUNKED + b"x-sum: 1\r\n\r\n")),
    (Case("`POST http://example.com/v1/emotions`, as to a proxy", "faces", "200, 1 face"),
     send("POST http://example.com/v1/emotions HTTP/1.1", HOST)),
    (Case("no `Host`", "an answer: nothing depends on it", "200"), ask("GET /livez HTTP/1.1")),
    (Case("two `Host`", "an answer: nothing depends on it", "200"),
     ask("GET /livez HTTP/1.1", HOST, HOST)),
    (Case("24 KB of headers, as an ALB with OpenID Connect adds them", "an answer", "200"),
     ask("GET /livez HTTP/1.1", HOST, f"x-amzn-oidc-data: {'a' * 16_000}",
         f"cookie: {'b' * 8000}")),
    (Case("70 KB of headers", "an error", "431 `request_header_fields_too_large`"),
     ask("GET /livez HTTP/1.1", HOST, f"cookie: {'b' * 70_000}")),
    (Case("`Content-Length` and `Transfer-Encoding`", "an error: requests could be smuggled",
          "400 `bad_request`"),
     ask("POST /v1/emotions HTTP/1.1", HOST, "content-length: 3", "transfer-encoding: chunked",
         body=b"0\r\n\r\n")),
    (Case("`CONNECT`", "an error", "400 `bad_request`"), ask("CONNECT x:443 HTTP/1.1", HOST)),
    (Case("`TRACE`", "an error", "405 `method_not_allowed`, `Allow: GET, HEAD`"),
     ask("TRACE / HTTP/1.1", HOST)),
]  # fmt: skip
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12)
OTHER_PROTOCOLS: Rows = [
    (Case("TLS", "an error that names HTTPS", "400 `bad_request`, names `HTTPS`"),
     b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100)),
    (Case("HTTP/2 without TLS", "an error that names HTTP/2", "400 `bad_request`, names `HTTP/2`"),
     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)),
    (Case("the PROXY protocol, version 1", "an error that names it",
          "400 `bad_request`, names `PROXY`"),
     b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + ask("GET /livez HTTP/1.1", HOST)),
    (Case("the PROXY protocol, version 2", "an error that names it",
          "400 `bad_request`, names `PROXY`"), V2 + ask("GET /livez HTTP/1.1", HOST)),
]  # fmt: skip
BROWSERS: Rows = [
    (Case("`/favicon.ico`, `/robots.txt`, `/apple-touch-icon.png`, `/.well-known/…`",
          "an error; one label of metrics for all", "404 `not_found`"),
     ask("GET /favicon.ico HTTP/1.1", HOST, "accept: image/avif,image/webp,*/*")),
    (Case("`Accept: text/html` for an unknown path", "the same problem as for programs",
          "404 `not_found`"), ask("GET /nothing HTTP/1.1", HOST, "accept: text/html")),
    (Case("a preflight of a listed origin", "allowed",
          f"200, `Access-Control-Allow-Origin: {PAGE}`"),
     ask("OPTIONS /v1/emotions HTTP/1.1", *PREFLIGHT)),
    (Case("the same from a public page to a private network", "allowed",
          f"200, `Access-Control-Allow-Origin: {PAGE}`, "
          "`Access-Control-Allow-Private-Network: true`"),
     ask("OPTIONS /v1/emotions HTTP/1.1", *PREFLIGHT,
         "access-control-request-private-network: true")),
    (Case("`Origin: null`", "an answer that the page may not read", "200"),
     ask("GET /livez HTTP/1.1", HOST, "origin: null", "sec-fetch-mode: cors")),
    (Case("`Range` of a file", "the range", "206"),
     ask("GET /static/icon.svg HTTP/1.1", HOST, "range: bytes=0-3")),
    (Case("`Accept-Encoding: gzip`", "an answer; a proxy may compress it", "200"),
     ask("GET / HTTP/1.1", HOST, "accept-encoding: gzip, br", "upgrade-insecure-requests: 1")),
]  # fmt: skip
ROWS = [*PREFIX, *CHECKS, *PROTOCOL, *OTHER_PROTOCOLS, *BROWSERS]
CASES = [case for case, _ in ROWS]
NAMED = ("Allow", "Location", "Access-Control-Allow-Origin", "Access-Control-Allow-Private-Network")


@pytest.fixture(scope="module")
def service(plans: Path) -> Iterator[Server]:
    with serving(
        plans, engine="bench.fakes:instant:1", root_path="emotions/", cors_origins=PAGE
    ) as running:
        yield running


def happens(answer: bytes) -> str:
    """Describe an answer in the words of the table."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    if " 100 " in line:
        return f"100, then {happens(body)}"
    headers = httpx.Headers(
        [(name, value) for name, _, value in (x.partition(": ") for x in lines)]
    )
    said, kind = [line.split()[1]], headers.get("content-type", "")
    if "problem+json" in kind and body:
        problem = json.loads(body)
        said[0] += f" `{problem['code']}`"
        said += [
            f"names `{each}`" for each in ("HTTPS", "HTTP/2", "PROXY") if each in problem["detail"]
        ]
    elif kind == "application/json" and b'"images"' in body and b"openapi" not in body:
        said += [f"{len(image['faces'])} face" for image in json.loads(body)["images"]]
    return ", ".join([*said, *(f"`{name}: {headers[name]}`" for name in NAMED if name in headers)])


@pytest.mark.parametrize(("case", "request_"), ROWS, ids=[case.input for case in CASES])
def test_what_balancers_proxies_and_browsers_send(
    service: Server, case: Case, request_: bytes
) -> None:
    assert happens(exchange(service, request_)) == case.happens


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/models",
             "/static/page.js"]
)  # fmt: skip
def test_head_is_get_without_the_body(service: Server, path: str) -> None:
    with service.client() as client:
        got, head = client.get(path), client.head(path)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        assert client.post(path).headers["allow"] == "GET, HEAD"


def test_a_file_that_has_not_changed_is_not_sent_again(service: Server) -> None:
    with service.client() as client:
        tag = client.get("/static/page.js").headers["etag"]
        again = client.get("/static/page.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/health", "/healthz", "/ping", "/apple-touch-icon.png"])
def test_an_unknown_path_names_the_right_ones(service: Server, path: str) -> None:
    with service.client() as client:
        detail = client.get(path).json()["detail"]
        labels = client.get("/metrics").text
    assert all(right in detail for right in ("POST /v1/emotions", "/livez", "/readyz"))
    assert path not in labels


def test_links_of_the_pages_and_the_description_have_the_prefix(service: Server) -> None:
    with service.client() as client:
        for path in ("/", "/emotions", "/emotions/", "/docs", "/emotions/docs"):
            page = client.get(path)
            assert '<base href="/emotions/">' in page.text
            assert "base-uri 'self'" in page.headers["content-security-policy"]
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/emotions"}]


@pytest.mark.parametrize("at", [20, 60, 120, 230, 240])
def test_an_upgrade_in_two_pieces_keeps_its_body(service: Server, at: int) -> None:
    request = send("POST /v1/emotions HTTP/1.1", HOST, "upgrade: h2c", *UPGRADE)
    with connect(service) as client:
        client.sendall(request[:at])
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(30)
        client.sendall(request[at:])
        received = b""
        while chunk := client.recv(1 << 16):
            received += chunk
    assert happens(received) == "200, 1 face"


def test_a_thousand_upgrades_at_once_are_all_answered(service: Server) -> None:
    upgrade = b"GET /livez HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    answers = exchange(service, upgrade * 1500 + ask("GET /livez HTTP/1.1", HOST))
    assert answers.count(b"HTTP/1.1 200 OK") == 1501


def test_a_tcp_check_leaves_no_line_in_the_log(service: Server) -> None:
    before = len(service.log.read_text())
    for _ in range(20):
        connect(service).close()
    exchange(service, ask("GET /nothing HTTP/1.1", HOST))
    until(lambda: service.log.read_text()[before:].endswith("\n"))
    lines = service.log.read_text()[before:].splitlines()
    assert [json.loads(line)["status"] for line in lines] == [404]


def test_another_protocol_is_reported_to_the_operator(service: Server) -> None:
    before = metric(service, "emotions_refused_requests_total", code="bad_request")
    exchange(service, OTHER_PROTOCOLS[0][1])
    assert metric(service, "emotions_refused_requests_total", code="bad_request") == before + 1
    assert "terminate TLS in a proxy" in service.log.read_text()


def test_an_idle_connection_outlives_those_of_common_proxies() -> None:
    """ALB and nginx keep connections to a service for 60 s, Traefik for 90 s."""
    assert Settings().keep_alive_s > 90
