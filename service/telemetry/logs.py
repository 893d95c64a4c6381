"""Log lines in one format, those of libraries included, on standard error."""

import logging
import sys
import threading
from contextlib import suppress

import structlog
from structlog.typing import EventDict, Processor

from service.settings import Settings

# Without local variables: they hold images of people.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


class _StderrLogger:
    """Writes lines to standard error.

    If the disk is full or the reader is gone, the line is lost but the request goes on, as with
    `logging`.
    """

    _lock = threading.RLock()  # reentrant: a signal handler may log in the middle of a line

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with self._lock, suppress(OSError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


def configure(settings: Settings) -> None:
    """Send all logging through structlog, as text for people or as JSON for machines."""
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = _json() if settings.log_format == "json" else _text()
    _configure_logging(settings, first, last)
    # Our own lines bypass the standard library, which takes several times as long per line.
    structlog.configure(
        processors=[*first, *last],
        logger_factory=_StderrLogger,
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )


def _json() -> list[Processor]:
    return [
        structlog.processors.ExceptionRenderer(_TRACEBACKS),
        structlog.processors.JSONRenderer(),
    ]


def _text() -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [
        _join_stages,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
    ]


def _join_stages(_: object, __: str, event: EventDict) -> EventDict:
    """Write the stages of a request as text; the JSON format keeps the object."""
    stages = event.get("stages_ms")
    if isinstance(stages, dict):
        event["stages_ms"] = " ".join(f"{stage} {ms:g}" for stage, ms in stages.items())
    return event


def _configure_logging(settings: Settings, first: list[Processor], last: list[Processor]) -> None:
    """Format the lines of libraries, which use the standard library's logging."""
    formatter = structlog.stdlib.ProcessorFormatter
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        formatter(foreign_pre_chain=first, processors=[formatter.remove_processors_meta, *last])
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
