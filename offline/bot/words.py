"""What the bot says."""

from collections.abc import Sequence

from analysis.document import Face

HELP = (
    "Send me a photograph, and I send it back with a box around each face and its emotion.\n"
    "/three reads happy, neutral or sad; /seven reads all seven emotions.\n"
    "As a file instead of a photo it keeps its full size. I keep nothing that you send."
)
NO_PICTURE = "That is no picture. Send a photograph, or /help."
NO_FACE = "I see no face in this picture."
BUSY = "That is a lot at once; send the rest when I have answered."
UNREACHABLE = "The service that reads faces does not answer just now. Try again in a minute."
FAILED = "Something went wrong on my side; I have noted it."


def told_apart(labels: Sequence[str]) -> str:
    """Say which emotions are read."""
    return f"From now on I tell {_listed(labels)} apart."


def not_three(labels: Sequence[str]) -> str:
    """Refuse to read three emotions where the model lacks one of them."""
    return f"I cannot read happy, neutral or sad alone: I tell {_listed(labels)} apart."


def _listed(labels: Sequence[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last


def too_large(limit: int) -> str:
    """Refuse a file by its size."""
    return f"This file is larger than {limit // 1_000_000} MB, the most that Telegram gives me."


def caption(faces: Sequence[Face]) -> str:
    """Sum up what was seen, the largest face first."""
    told = [f"{face.emotion} {face.scores[face.emotion]:.0%}" for face in faces[:10]]
    more = f" and {len(faces) - 10} more" if len(faces) > 10 else ""
    count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    return f"{count}: {', '.join(told)}{more}"
