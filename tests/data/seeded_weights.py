"""Weights that anyone can make again from a tensor's name and shape.

They stand in for trained weights that are too large to keep: the outputs in ``golden/`` were
computed with them by the upstream networks; there a PReLU slope is any name that holds ``relu``.

Every value comes from numpy's PCG64 seeded with the CRC-32 of the name, so order does not matter.
The last part of a name decides the kind: running_var / moving_var in [0.5, 1.5]; running_mean /
moving_mean and bias / beta around 0 (0.1); one-dimensional weight / gamma in [0.5, 0.9], PReLU
slopes in [0.1, 0.4]; everything else normal with variance gain / fan-in.
"""

import math
import zlib

import numpy as np
from numpy.typing import NDArray


def seeded(
    name: str, shape: tuple[int, ...], prelu: bool = False, gain: float = 1.2
) -> NDArray[np.float32]:
    """Make one tensor; `prelu` marks a slope vector; `gain` is stored in each golden file."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if prelu:
        values = rng.uniform(0.1, 0.4, shape)
    elif name.endswith(("running_var", "moving_var")):
        values = rng.uniform(0.5, 1.5, shape)
    elif name.endswith(("running_mean", "moving_mean", "bias", "beta")):
        values = 0.1 * rng.standard_normal(shape)
    elif len(shape) == 1:
        values = rng.uniform(0.5, 0.9, shape)
    else:
        values = rng.standard_normal(shape) * math.sqrt(gain / math.prod(shape[1:]))
    return values.astype(np.float32)
