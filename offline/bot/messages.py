"""Texts that the bot sends."""

from collections.abc import Sequence

from analysis.document import Face, ImageResult
from offline.quality import is_unsure, named

HELP = (
    "Send me a photograph. I send it back with a box around each face and its emotion.\n"
    "/three uses only happy, neutral and sad; /seven uses all seven emotions.\n"
    "A photograph that you send as a file keeps its full size. I store nothing that you send."
)
NO_PICTURE = "This is not a picture. Send a photograph, or /help."
NO_FACE = "I find no face in this picture."
BUSY = "These are too many pictures at once. Send the rest when I have answered."
UNREACHABLE = "The service that analyzes faces does not answer. Try again in a minute."
FAILED = "Something went wrong here, and it is logged."
UNSURE = (
    "I am not sure of an emotion with a question mark: such a face is too small, blurred, dark or "
    "turned away."
)
MAX_FACES = 10  # of a caption; Telegram limits its length


def chosen(labels: Sequence[str]) -> str:
    """Confirm which emotions the chat gets from now on."""
    return f"From now on the emotions are {_listed(labels)}."


def not_three(labels: Sequence[str]) -> str:
    """Refuse three emotions that the model does not have."""
    return f"This model does not know happy, neutral and sad. Its emotions are {_listed(labels)}."


def too_large(limit: int) -> str:
    """Reject a file by its size; `limit` is in bytes."""
    return f"This file is larger than {limit // 1_000_000} MB, the limit of Telegram for bots."


def failed(result: ImageResult) -> str:
    """Explain why an image has no result."""
    detail = result.error.detail if result.error else FAILED
    return detail[:1].upper() + detail[1:] + ("" if detail.endswith(".") else ".")


def caption(faces: Sequence[Face]) -> str:
    """Summarise the faces, largest first; say so if the emotion of one is unsure."""
    listed = [
        f"{named(face.emotion, face.quality)} {face.scores[face.emotion]:.0%}"
        for face in faces[:MAX_FACES]
    ]
    more = f" and {len(faces) - MAX_FACES} more" if len(faces) > MAX_FACES else ""
    count = "1 face" if len(faces) == 1 else f"{len(faces)} faces"
    unsure = f"\n{UNSURE}" if any(is_unsure(face.quality) for face in faces) else ""
    return f"{count}: {', '.join(listed)}{more}{unsure}"


def _listed(labels: Sequence[str]) -> str:
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last
