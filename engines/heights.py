"""Heights of a detector's input: at a lower one, an engine computes less padding."""

import tensorrtx
from engines.catalog import SIDE_STEP, ModelSpec
from engines.errors import EngineError

# Aspect ratios of cinema, television and photographs: width, height.
FORMATS = ((239, 100), (16, 9), (4, 3))


def every(spec: ModelSpec) -> tuple[int, ...]:
    """All heights that the network of `spec` can run at, rising; the last is that of its input.

    Raises:
        EngineError: the network does not have these options.
    """
    if spec.library:
        return tuple(range(SIDE_STEP, spec.input_shape[0] + 1, SIDE_STEP))
    network = tensorrtx.NETWORKS.get(spec.network)
    if network is None or network.heights is None:
        return spec.input_shape[:1]
    try:
        return network.heights(**spec.options)
    except (TypeError, ValueError) as error:
        raise EngineError(f"{spec.name}: wrong options: {error}") from error


def common(spec: ModelSpec) -> tuple[int, ...]:
    """The lowest heights that fit landscape pictures of common formats, and the full height."""
    heights = every(spec)
    width = spec.input_shape[1]
    least = {next((h for h in heights if h * w >= width * x), heights[-1]) for w, x in FORMATS}
    return tuple(sorted(least | {heights[-1]}))
