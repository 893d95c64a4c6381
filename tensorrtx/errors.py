"""The error of unusable weights."""


class WeightsError(ValueError):
    """Unusable weights; the message names the file, the tensor and what was expected."""
