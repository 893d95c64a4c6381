"""Log lines, ours and the server's, in one form on standard error."""

import logging
import sys
import threading
from contextlib import suppress

import structlog
from structlog.typing import EventDict, Processor

from service.settings import Settings

# Without local variables: they hold people's images.
_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


class _Lines:
    """Writes lines to standard error, and knows whose they are.

    A full disk or a reader that is gone costs the line, not the request, as with `logging`.
    """

    _turn = threading.RLock()  # a signal's line may come in the middle of another

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with self._turn, suppress(OSError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


def _one_line(_: object, __: str, event: EventDict) -> EventDict:
    """Write the stages of a request as people read them; machines get the object."""
    stages = event.get("stages_ms")
    if isinstance(stages, dict):
        event["stages_ms"] = " ".join(f"{stage} {ms:g}" for stage, ms in stages.items())
    return event


def configure(settings: Settings) -> None:
    """Send all logging through structlog, as text for people or JSON for machines."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if settings.log_format == "json":
        last: list[Processor] = [
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            structlog.processors.JSONRenderer(),
        ]
    else:
        plain = structlog.dev.plain_traceback
        last = [
            _one_line,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),
        ]
    handler = logging.StreamHandler(sys.stderr)
    theirs = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        theirs(foreign_pre_chain=shared, processors=[theirs.remove_processors_meta, *last])
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Ours pass by the standard library, which takes several times as long for a line.
    structlog.configure(
        processors=[*shared, *last],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
