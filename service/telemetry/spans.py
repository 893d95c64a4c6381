"""Spans of requests, their stages and batches, by OpenTelemetry.

FastAPI makes the span of a request and honours W3C trace context. The span of a stage is a child
of it. A batch serves several requests, but a span has one parent: the span of a batch is a child
of the first sampled request in the batch, and links to all sampled ones.
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
from analysis.workers.observer import Observer
from service.telemetry.middleware import PROBES
from service.telemetry.stats import RequestStats
from service.telemetry.tracing import Tracing

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

# A request of many images has hundreds of spans, which arrive in bursts.
QUEUE_SPANS = 8192
# An unreachable collector delays the end of the process by at most this many seconds.
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

    def begin(self, traceparent: str, stats: RequestStats) -> str | None:
        span = trace.get_current_span()
        context = span.get_span_context()
        if not context.is_valid:
            return super().begin(traceparent, stats)
        if span.is_recording():
            stats.span = span
        return trace.format_trace_id(context.trace_id)

    def end(self, stats: RequestStats) -> None:
        span, stats.span = stats.span, None
        if span is None:
            return
        span.set_attributes(_attributes(stats))
        context = trace.set_span_in_context(span)
        for stage, started, ended in stats.samples:
            child = self._tracer.start_span(stage, context, start_time=_epoch_ns(started))
            child.end(_epoch_ns(ended))

    def observers(self) -> Sequence[Observer]:
        return (_BatchSpans(self._tracer),)

    def close(self) -> None:
        self._provider.shutdown()


class _BatchSpans(Observer):
    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def batches_ran(self, batches: Sequence[Batch], owners: Sequence[object]) -> None:
        """Make a span per batch: a child of the first sampled request, with links to all."""
        requests = dict.fromkeys(owner for owner in owners if isinstance(owner, RequestStats))
        spans = [stats.span for stats in requests if stats.span is not None]
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
    """Return spans that go to the collector at `url` by OTLP over HTTP.

    `share` of the traces that start here are sampled.
    """
    resource = Resource.create({"service.name": "emotions", "service.version": version("emotions")})
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(share)), resource=resource, shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=EXPORT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS))
    return Spans(provider)


def _attributes(stats: RequestStats) -> dict[str, Any]:
    fields = {
        "emotions.images": stats.images,
        "emotions.faces": stats.faces,
        "emotions.received_bytes": stats.received,
        "emotions.code": stats.code,
        "emotions.key": stats.key,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _epoch_ns(moment: float) -> int:
    """Convert a time of `time.monotonic` to nanoseconds since 1970."""
    return time.time_ns() - int((time.monotonic() - moment) * 1e9)
