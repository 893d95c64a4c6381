"""When to try again, and after how long."""

import random
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

# Too many requests, bad gateway, overloaded or stopping, past the deadline: it may pass.
MAY_PASS = {429, 502, 503, 504}


class Retry(NamedTuple):
    """How patient to be: attempts in all, the first pause's ceiling, and any pause's, seconds.

    A service that asks for more than `longest_s` is not asked again: its refusal is the answer.
    """

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
        if asked > self.longest_s:
            return None
        # An exponent beyond a float's would be an error; this one is beyond any ceiling.
        ceiling = min(self.longest_s - asked, self.first_s * 2 ** min(attempt, 99))
        return asked + random.uniform(0, ceiling)  # noqa: S311  (spreads load, hides nothing)


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the `Retry-After` header asks for (RFC 9110, section 10.2.3), 0 without."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
