"""Turns requests for images away before anything is made of them, where there is no room.

Under overload that is what happens to most, on the cores that the images of the others need.
"""

import asyncio
import time
from collections.abc import Iterable

import structlog
from starlette.types import Scope

from service import doorman, problems
from service.errors import Overloaded
from service.gate import Gate
from service.metrics import Metrics
from service.middleware import request_id
from service.record import Record
from service.settings import Settings

# A line for each would cost more than the rest of its answer.
TELL_S = 1.0
RETRY = [(name.lower().encode(), value.encode()) for name, value in Overloaded.headers.items()]
log = structlog.get_logger("emotions.access")


class Refusals:
    """Answers in the place of the application; they are in the metrics, and summed up in the log.

    Web pages of other origins need headers that only the application makes, and traces have a span
    for each request: `doorman.Doorman` refuses those.
    """

    def __init__(self, gate: Gate, settings: Settings, metrics: Metrics) -> None:
        self._gate, self._settings, self._metrics = gate, settings, metrics
        self._untold = 0

    def answer(self, scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """All bytes of the answer to a request that is turned away, with more headers; else None.

        Called in an event loop.
        """
        if not doorman.wanted(scope) or self._settings.otlp_url is not None or _foreign(scope):
            return None
        started = time.perf_counter()
        try:
            doorman.check(scope, self._gate, self._settings)
        except Overloaded as error:
            problem = problems.made(error.status, error.code, str(error), request_id(scope))
            answer = problems.whole(problem, [*headers, *RETRY])
            self._note(error, time.perf_counter() - started)
            return answer
        return None

    def _note(self, error: Overloaded, seconds: float) -> None:
        self._metrics.request(doorman.ROUTE, error.status, seconds, Record(code=error.code))
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_S, self.tell)
        self._untold += 1

    def tell(self) -> None:
        """Log how many there were since this was last told."""
        if self._untold:
            status, code = int(Overloaded.status), Overloaded.code
            log.info("refused", path=doorman.ROUTE, status=status, code=code, requests=self._untold)
        self._untold = 0


def _foreign(scope: Scope) -> bool:
    return any(name == b"origin" for name, _ in scope["headers"])
