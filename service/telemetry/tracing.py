"""Traces, an extra: this is what is there without it, and how it is chosen.

Only `service.telemetry.spans` imports OpenTelemetry's SDK, and only when a collector is set.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.workers.types import Observer
from service.telemetry.record import Record

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, span, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.{2,}")


class Tracing:
    """Makes no spans; knows the trace that a request belongs to by its `traceparent` header."""

    @property
    def telemetry(self) -> "TelemetryConfig":
        """What FastAPI is to do: nothing by itself, whatever the environment says."""
        return {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

    def begin(self, traceparent: str, record: Record) -> str | None:  # noqa: ARG002
        """Take note of a request that begins; returns the id of its trace, 32 hex digits."""
        found = _TRACEPARENT.fullmatch(traceparent)
        return found[1] if found else None

    def end(self, record: Record) -> None:
        """Tell what a request cost, before the last of its answer leaves."""

    def observers(self) -> Sequence[Observer]:
        """Who is called of the batches that networks run."""
        return ()

    def close(self) -> None:
        """Send what has not been sent."""
