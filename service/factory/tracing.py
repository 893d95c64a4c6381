"""Opens the tracing that the settings configure."""

from engines.errors import EngineError
from service.settings import Settings
from service.telemetry.tracing import Tracing


def open_tracing(settings: Settings) -> Tracing:
    """Return the tracing that `settings` configure.

    Raises:
        EngineError: a collector is set, but the extra is not installed.
    """
    if settings.otlp_url is None:
        return Tracing()
    try:
        from service.telemetry.spans import open_spans  # noqa: PLC0415  (an optional library)
    except ImportError as error:
        raise EngineError(
            "EMOTIONS_OTLP_URL is set, but OpenTelemetry is not installed; "
            "`pip install '.[otel]'` installs it, or unset EMOTIONS_OTLP_URL"
        ) from error
    return open_spans(settings.otlp_url, settings.trace_share)
