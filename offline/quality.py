"""What the quality of a face means for the emotion that is read from it."""

UNSURE = 0.5
# Faces of quality 0 among themselves count alike, and beside others next to nothing.
LEAST_WEIGHT = 1e-3


def weight(quality: float) -> float:
    """Return the weight of a face in a mean of emotion scores, always above 0."""
    return max(quality, LEAST_WEIGHT)


def named(emotion: str, quality: float) -> str:
    """Return the emotion as pictures and reports show it: an unsure one has a question mark."""
    return f"{emotion}?" if is_unsure(quality) else emotion


def is_unsure(quality: float) -> bool:
    """Whether a clear frontal view of the face more likely gives another emotion."""
    return quality < UNSURE
