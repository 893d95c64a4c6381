"""Spans of requests, their stages and batches, by OpenTelemetry.

FastAPI makes the span of a request and honours W3C trace context. A stage is a child of it. A batch
is a child of the first request in it that is sampled, and links to all that are: it serves many,
and a trace has one parent.
"""

import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from analysis.timing import Batch
from analysis.workers.types import Observer
from service.telemetry.middleware import PROBES
from service.telemetry.record import Record
from service.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

# A request of many images has hundreds of spans, and comes in bursts.
QUEUE = 8192
# A collector that is away holds up the end of the process for as long, at most.
EXPORT_S = 3.0


class Spans(Tracing):
    """Makes spans with `provider`, which it owns."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("emotions", version("emotions"))

    @property
    def telemetry(self) -> "TelemetryConfig":
        return {
            **super().telemetry,
            "tracing": True,
            "tracer_provider": self._provider,
            "operation_spans": False,
            "exclude": lambda scope: scope.get("path") in PROBES,
        }

    def begin(self, traceparent: str, record: Record) -> str | None:
        span = trace.get_current_span()
        context = span.get_span_context()
        if not context.is_valid:
            return super().begin(traceparent, record)
        if span.is_recording():
            record.span = span
        return trace.format_trace_id(context.trace_id)

    def end(self, record: Record) -> None:
        span, record.span = record.span, None
        if span is None:
            return
        span.set_attributes(_told(record))
        context = trace.set_span_in_context(span)
        for stage, started, ended in record.samples:
            self._tracer.start_span(stage, context, start_time=_epoch_ns(started)).end(
                _epoch_ns(ended)
            )

    def observers(self) -> Sequence[Observer]:
        return (_TracedBatches(self._tracer),)

    def close(self) -> None:
        self._provider.shutdown()


class _TracedBatches(Observer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:
        """Make a span of each batch: a child of the first request in it, with links to all."""
        records = dict.fromkeys(owner for owner in owners if isinstance(owner, Record))
        spans = [record.span for record in records if record.span is not None]
        if not spans:
            return
        parent: Context = trace.set_span_in_context(spans[0])
        links = [trace.Link(span.get_span_context()) for span in spans]
        for batch in batches:
            self._tracer.start_span(
                f"{batch.network} batch",
                parent,
                links=links,
                attributes={"emotions.network": batch.network, "emotions.batch.items": batch.rows},
                start_time=_epoch_ns(batch.started),
            ).end(_epoch_ns(batch.ended))


def open_spans(url: str, share: float) -> Spans:
    """Spans that go to the collector at `url` by OTLP over HTTP, `share` of those begun here."""
    resource = Resource.create({"service.name": "emotions", "service.version": version("emotions")})
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE))
    return Spans(provider)


def _told(record: Record) -> dict[str, Any]:
    fields = {
        "emotions.images": record.images,
        "emotions.faces": record.faces,
        "emotions.received_bytes": record.received,
        "emotions.code": record.code,
        "emotions.key": record.key,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _epoch_ns(moment: float) -> int:
    """A time of `time.monotonic`'s clock as nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)
