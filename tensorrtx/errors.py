"""The one error that reading weights raises."""


class WeightsError(ValueError):
    """Unusable weights; the message names the file, the tensor and what was expected of it."""
