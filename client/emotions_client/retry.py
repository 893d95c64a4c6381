"""When to try again, and after how long."""

import random
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

# Too many requests, bad gateway, overloaded or stopping, past the deadline: it may pass.
MAY_PASS = {429, 502, 503, 504}


class Retry(NamedTuple):
    """How patient to be: attempts in all, the first pause's ceiling, and any pause's, seconds."""

    attempts: int = 6
    first_s: float = 0.25
    longest_s: float = 20.0

    def pause(self, attempt: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds to wait after `attempt` (from 0), or None to leave it at this outcome.

        The pause is what the service asks for plus a random share of a ceiling that doubles:
        clients refused together must not come back together ("full jitter", AWS Architecture
        Blog, 2015).
        """
        if attempt + 1 >= self.attempts or isinstance(outcome, httpx.UnsupportedProtocol):
            return None
        asked = 0.0
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in MAY_PASS:
                return None
            asked = _retry_after(outcome)
        ceiling = min(self.longest_s, self.first_s * 2**attempt)
        return asked + random.uniform(0, ceiling)  # noqa: S311  (spreads load, hides nothing)


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the `Retry-After` header asks for (RFC 9110, section 10.2.3), 0 without."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
