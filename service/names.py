"""Finds the known name that an unknown one resembles."""

from collections.abc import Iterable
from difflib import get_close_matches

# Longer names from a client are cut in messages.
MAX_LENGTH = 64
# The smallest similarity at which a name is suggested.
SIMILARITY = 0.6


def nearest(name: str, known: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """Return the known name that `name` resembles, whatever its case, dashes or brackets."""
    plain = {_plain(each): each for each in known}
    found = get_close_matches(_plain(name[:MAX_LENGTH]), plain, 1, similarity)
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    return name.partition("[")[0].lower().replace("-", "").replace("_", "")


def unknown(name: str, place: str, known: Iterable[str]) -> str:
    """Return the sentence for an unknown name: the nearest known one, and all that are known."""
    known = list(known)
    found = nearest(name, known)
    guess = f"did you mean {found}? " if found else ""
    return f"{name:.{MAX_LENGTH}}: unknown {place}; {guess}known are {', '.join(known)}"
