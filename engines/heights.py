"""Heights of a detector's input: what an engine need not compute of the padding below an image."""

import tensorrtx
from engines.catalog import ModelSpec
from engines.errors import EngineError

# Width and height of cinema, television and photographs.
FORMATS = ((239, 100), (16, 9), (4, 3))


def every(spec: ModelSpec) -> tuple[int, ...]:
    """All heights that the network of `spec` can be run at, rising; the last is its input's own.

    Raises:
        EngineError: the options are not the network's.
    """
    network = tensorrtx.NETWORKS.get(spec.network)
    if network is None or network.heights is None:
        return spec.input_shape[:1]
    try:
        return network.heights(**spec.options)
    except (TypeError, ValueError) as error:
        raise EngineError(f"{spec.name}: wrong options: {error}") from error


def common(spec: ModelSpec) -> tuple[int, ...]:
    """Of these the least that hold landscape pictures of common formats, and the full one."""
    heights = every(spec)
    width = spec.input_shape[1]
    least = {next((h for h in heights if h * w >= width * x), heights[-1]) for w, x in FORMATS}
    return tuple(sorted(least | {heights[-1]}))
