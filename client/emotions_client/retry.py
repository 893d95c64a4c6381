"""When to send a request again, and after which pause."""

import random
import time
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

# Too many requests, bad gateway, overloaded or shutting down, deadline exceeded.
TEMPORARY = {429, 502, 503, 504}


class Retry(NamedTuple):
    """Number of attempts, ceiling of the first pause, and ceiling of any pause, in seconds.

    If the service asks for a pause longer than `longest_s`, its error is raised at once.
    """

    attempts: int = 6
    first_s: float = 0.25
    longest_s: float = 20.0

    def pause(self, attempt: int, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Return the seconds to wait after `attempt` (from 0), or None to give up.

        The pause is the one that the service asks for, plus a random part of a ceiling that
        doubles. It is random because clients that were rejected together must not return together
        ("full jitter", AWS Architecture Blog, 2015).
        """
        if attempt + 1 >= self.attempts or isinstance(outcome, httpx.UnsupportedProtocol):
            return None
        minimum = 0.0
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in TEMPORARY:
                return None
            minimum = _retry_after(outcome)
        if minimum > self.longest_s:
            return None
        # The exponent is limited because a larger one overflows a float.
        ceiling = min(self.longest_s - minimum, self.first_s * 2 ** min(attempt, 99))
        return minimum + random.uniform(0, ceiling)  # noqa: S311  (not for security)


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds in the header `Retry-After` (RFC 9110, section 10.2.3), by default 0."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
