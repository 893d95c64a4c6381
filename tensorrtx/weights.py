"""The named tensors of a file, from which a network takes each one once."""

import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorrtx import pth, wts
from tensorrtx.errors import WeightsError

SHOWN = 5  # names that an error lists; it counts the rest


class Weights:
    """Tensors by name; ``source`` is the name of their file in errors."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]], source: str) -> None:
        self._tensors = tensors
        self._source = source
        self._taken: set[str] = set()

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return a tensor as float32 in ``shape``; one-dimensional values are reshaped.

        Raises:
            WeightsError: it is missing, has another shape or number of values, or is not finite.
        """
        wanted = f"expected shape {shape} ({math.prod(shape)} values)"
        if name not in self._tensors:
            raise WeightsError(
                f"{self._source}: tensor {name!r} is missing, {wanted}{self._hint(name)}"
            )
        found = self._tensors[name]
        if found.shape not in (shape, (math.prod(shape),)):
            there = f"found {found.shape} ({found.size} values)"
            raise WeightsError(f"{self._source}: tensor {name!r}: {wanted}, {there}")
        values = np.ascontiguousarray(found, dtype=np.float32).reshape(shape)
        if not np.isfinite(values).all():
            raise WeightsError(f"{self._source}: tensor {name!r}: {wanted}, found NaN or infinity")
        self._taken.add(name)
        return values

    def _hint(self, name: str) -> str:
        """Suggest the closest name, preferably one with the same numbers: one of the same layer."""
        left = sorted(self._tensors.keys() - self._taken)
        layer = [other for other in left if re.findall(r"\d+", other) == re.findall(r"\d+", name)]
        close = difflib.get_close_matches(name, layer or left, n=1)
        return f"; did you mean {close[0]!r}?" if close else ""

    def finish(self, unused: tuple[str, ...] = ()) -> None:
        """Check that the network took every tensor; otherwise the file is another network's.

        Batch counters and names that begin with one of ``unused`` may be left.

        Raises:
            WeightsError: names the tensors that no layer took.
        """
        left = [
            name
            for name in self._tensors
            if name not in self._taken
            and not name.startswith(unused)
            and not name.endswith("num_batches_tracked")
        ]
        if left:
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            names = ", ".join(map(repr, left[:SHOWN]))
            raise WeightsError(f"{self._source}: the network has no place for {names}{more}")


def load(path: Path) -> Weights:
    """Read ``.wts``, or a PyTorch state dict from ``.pth``, ``.pt`` or ``.tar``.

    Raises:
        WeightsError: another suffix, or a file that is not what its suffix says.
        OSError: the file cannot be read.
    """
    match path.suffix:
        case ".wts":
            return Weights(wts.read(path), str(path))
        case ".pth" | ".pt" | ".tar":
            return Weights(pth.read(path), str(path))
        case other:
            raise WeightsError(f"{path}: expected .wts, .pth, .pt or .tar, found {other!r}")
