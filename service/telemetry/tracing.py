"""Tracing without OpenTelemetry, which is an optional dependency.

Only `service.telemetry.spans` imports the SDK of OpenTelemetry, and only if a collector is set.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.workers.observer import Observer
from service.telemetry.stats import RequestStats

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, span, flags.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.{2,}")


class Tracing:
    """Makes no spans, but reads the trace id of a request from its `traceparent` header."""

    @property
    def telemetry(self) -> "TelemetryConfig":
        """Return FastAPI's configuration: no telemetry, whatever the environment says."""
        return {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

    def begin(self, traceparent: str, stats: RequestStats) -> str | None:  # noqa: ARG002
        """Start to trace a request; return its trace id, 32 hex digits, if it has one."""
        found = _TRACEPARENT.fullmatch(traceparent)
        return found[1] if found else None

    def end(self, stats: RequestStats) -> None:
        """Finish the trace of a request, before the last bytes of its answer are sent."""

    def observers(self) -> Sequence[Observer]:
        """Return the observers of the worker pool."""
        return ()

    def close(self) -> None:
        """Send the spans that have not been sent."""
