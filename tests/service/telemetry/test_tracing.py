"""Traces: spans from request to batch, in the trace of the caller; none without a collector."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from analysis.timing import Batch
from engines.errors import EngineError
from service.factory import open_tracing
from service.http.app import create_app
from service.settings import Settings
from service.telemetry.spans import Spans
from service.telemetry.stats import RequestStats
from service.telemetry.tracing import Tracing
from tests.photographs import ASTRONAUT_FILE
from tests.server import serving
from tests.service.in_process import client_of
from tests.service.topologies import Topology, environment, everywhere

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
# The networks of a request without embeddings.
NETWORKS = ("detector", "landmarks", "emotion")
BATCHES = {f"{network} batch" for network in NETWORKS}
STAGES = {"read", "queue", "decode", "detect", "align", "classify", "serialise"}


class Traced:
    """Collects spans in memory."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.spans = Spans(self.provider)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._memory.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    @property
    def names(self) -> set[str]:
        return {span.name for span in self._memory.get_finished_spans()}


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


async def ask(plans: Path, traced: Traced, **headers: str) -> None:
    app = create_app(Settings(plans=plans, isolate=False), traced.spans)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        headers |= {"content-type": "image/png"}
        image = ASTRONAUT_FILE.read_bytes()
        answer = await client.post("/v1/emotions", content=image, headers=headers)
    assert answer.status_code == 200


async def test_a_request_is_a_tree_of_spans_in_its_callers_trace(plans: Path) -> None:
    traced = Traced()
    await ask(plans, traced, traceparent=TRACEPARENT)
    request = traced.one("POST /v1/emotions")
    assert request.parent is not None
    assert f"{ids(request)[0]:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == CALLER
    assert request.attributes is not None
    assert request.attributes["emotions.faces"] == 1
    assert traced.names == {request.name, *STAGES, *BATCHES}
    for span in (each for name in traced.names - {request.name} for each in traced.named(name)):
        assert span.parent is not None
        assert (ids(span)[0], span.parent.span_id) == ids(request)
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time


async def test_a_batch_links_to_every_request_in_it(plans: Path) -> None:
    traced = Traced()
    await ask(plans, traced)
    request = traced.one("POST /v1/emotions")
    for network in NETWORKS:
        for batch in traced.named(f"{network} batch"):
            assert [(link.context.trace_id, link.context.span_id) for link in batch.links] == [
                ids(request)
            ]
            assert batch.attributes is not None
            assert batch.attributes["emotions.network"] == network
            assert batch.attributes["emotions.batch.items"] == 1


def test_a_batch_of_several_requests_has_a_link_for_each_that_is_sampled() -> None:
    traced = Traced()
    tracer = traced.provider.get_tracer("test")
    first, second, unsampled = RequestStats(), RequestStats(), RequestStats()
    first.span, second.span = tracer.start_span("first"), tracer.start_span("second")
    (observer,) = traced.spans.observers()
    now = time.monotonic()
    ran = Batch("detector", 3, now, now, now)
    observer.batches_ran([ran], [unsampled, first, None, second, first])
    observer.batches_ran([ran], [unsampled, None])
    batch = traced.one("detector batch")
    assert len(batch.links) == 2
    assert {link.context.span_id for link in batch.links} == {
        stats.span.get_span_context().span_id for stats in (first, second)
    }
    assert batch.attributes is not None
    assert batch.attributes["emotions.batch.items"] == 3


async def test_a_request_that_its_caller_does_not_sample_makes_no_spans(plans: Path) -> None:
    traced = Traced()
    await ask(plans, traced, traceparent=TRACEPARENT[:-1] + "0")
    assert traced.names == set()


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (TRACEPARENT, TRACE),
        (f"cc-{TRACE}-{CALLER}-01-of-a-version-to-come", TRACE),
        (f"ff-{TRACE}-{CALLER}-01", None),
        (f"00-{'0' * 32}-{CALLER}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{CALLER}-01", None),
        ("\n", None),
        ("", None),
    ],
)
def test_the_trace_id_is_known_without_the_extra(header: str, trace: str | None) -> None:
    assert Tracing().begin(header, RequestStats()) == trace


def test_without_a_collector_the_sdk_is_not_imported(plans: Path) -> None:
    program = f"""
import sys
from service.http.app import create_app
from service.settings import Settings
create_app(Settings(plans={str(plans)!r}))
unwanted = ("opentelemetry.sdk", "service.telemetry.spans")
print([name for name in sys.modules if name.startswith(unwanted)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_a_collector_without_the_extra_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "service.telemetry.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(EngineError, match=r"'\.\[otel\]'"):
        open_tracing(Settings(otlp_url="http://localhost:4318"))


class Collector(ThreadingHTTPServer):
    """Receives traces like an OpenTelemetry collector."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Takes)
        self.exports: list[ExportTraceServiceRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Takes(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        assert self.path == "/v1/traces"
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.exports.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            collector.shutdown()
            thread.join()


@everywhere
def test_a_server_sends_its_spans_and_logs_the_trace(plans: Path, topology: Topology) -> None:
    settings = {"workers": "2", "engine": "bench.fakes:instant:1"} | environment(topology)
    with collecting() as collector, serving(plans, otlp_url=collector.url, **settings) as server:
        headers = {"content-type": "image/png", "traceparent": TRACEPARENT}
        with server.client() as client:
            client.post("/v1/emotions", content=ASTRONAUT_FILE.read_bytes(), headers=headers)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        log = [json.loads(line) for line in server.log.read_text().splitlines()]
        resources = [each for export in collector.exports for each in export.resource_spans]
    (line,) = [entry for entry in log if entry["event"] == "request"]
    assert line["trace_id"] == TRACE
    attributes = {a.key: a.value.string_value for a in resources[0].resource.attributes}
    assert attributes["service.name"] == "emotions"
    spans = [span for each in resources for scope in each.scope_spans for span in scope.spans]
    assert {"POST /v1/emotions", "decode", *BATCHES} <= {span.name for span in spans}
    assert {span.trace_id.hex() for span in spans} == {TRACE}


async def test_a_collector_that_does_not_answer_delays_neither_requests_nor_the_end(
    plans: Path,
) -> None:
    with collecting() as collector:
        gone = collector.url
    started = time.monotonic()
    async with client_of(Settings(plans=plans, otlp_url=gone)) as client:
        answer = await client.post("/v1/emotions", files={"images": ASTRONAUT_FILE.read_bytes()})
    assert answer.status_code == 200
    assert time.monotonic() - started < 30
