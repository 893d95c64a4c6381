"""Content negotiation: one JSON document, or JSON Lines (RFC 9110, section 12.5.1)."""

import re
from functools import lru_cache, partial

JSON = "application/json"
LINE_TYPES = ("application/jsonl", "application/x-ndjson")
# An unterminated string reaches to the end of the header.
_QUOTED = re.compile(r'"(?:\\.|[^"])*(?:"|\Z)', re.DOTALL)


@lru_cache(maxsize=64)
def preferred_line_type(accept: str) -> str | None:
    """Return the type of JSON Lines that an `Accept` header prefers to JSON, or None.

    The weight decides. At equal weight, a type that the header names wins over one that only a
    wildcard matches; otherwise JSON wins. JSON is also the answer if neither is acceptable.
    Parameters other than the weight are ignored.
    """
    preference = partial(_preference, _weights(accept))
    lines = max(LINE_TYPES, key=preference)
    weight, _ = preference(lines)
    return lines if weight > 0 and preference(lines) > preference(JSON) else None


def _preference(weights: dict[str, float], kind: str) -> tuple[float, int]:
    """Return the weight of the most specific range that matches `kind`, and how specific it is."""
    for specificity, pattern in ((2, kind), (1, "application/*"), (0, "*/*")):
        if pattern in weights:
            return weights[pattern], specificity
    return 0.0, 0


def _weights(accept: str) -> dict[str, float]:
    """Return the weight of each media range; of a repeated one, the highest."""
    found: dict[str, float] = {}
    for entry in _QUOTED.sub("", accept).lower().split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        found[kind] = max(found.get(kind, 0.0), _weight(parameters))
    return found


def _weight(parameters: list[str]) -> float:
    """Return the parameter `q`; 1 if it is absent or not a number from 0 to 1."""
    text = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0
