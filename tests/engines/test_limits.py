"""Every plan has limits at every precision, also if its catalog entry names none."""

from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest

from engines import build, parity, weights
from engines.catalog import Catalog, ParityLimits, Precision
from engines.errors import ParityError
from engines.limits import LIMITS, allowed
from engines.network import graph
from engines.probe_inputs import probe
from engines.types import Array, Feeds, Runner

SHIPPED = ["retinaface-mnet025", "landmarks-64", "emotion-fer48", "arcface-mobilefacenet"]
PRECISIONS = get_args(Precision)


class Recorded(Runner):
    """Gives recorded answers; with ``late``, each item gets the answer of the one before it."""

    def __init__(self, runner: Runner, items: Array, name: str, *, late: bool = False) -> None:
        answers = [runner.infer({name: items[i : i + 1]}) for i in range(len(items))]
        shift = int(late)
        self.answers = {item.tobytes(): answers[index - shift] for index, item in enumerate(items)}

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        (items,) = feeds.values()
        found = [self.answers[item.tobytes()] for item in items]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    def __exit__(self, *exc: object) -> None: ...


@pytest.mark.parametrize("name", SHIPPED)
def test_every_precision_of_every_task_has_limits(name: str) -> None:
    spec = Catalog.load().get(name)
    assert not spec.limits
    model = graph(spec, weights.find(spec, Path("unused")))
    feed, items = spec.input_name, probe(spec)
    with build.reference(spec, model) as reference:
        right, wrong = (Recorded(reference, items, feed, late=late) for late in (False, True))
    for precision in PRECISIONS:
        assert set(parity.check(spec, right, right, precision)) == set(LIMITS[spec.task][precision])
        with pytest.raises(ParityError, match=f"at {precision} is too far"):
            parity.check(spec, wrong, right, precision)


def test_limits_of_an_entry_replace_those_of_the_task() -> None:
    spec = Catalog.load().get("retinaface-mnet025")
    wider = msgspec.structs.replace(spec, limits={"fp32": ParityLimits(landmark=3.0)})
    assert allowed(wider, "fp32") == {**LIMITS["detector"]["fp32"], "landmark": 3.0}
    assert allowed(wider, "int8") == LIMITS["detector"]["int8"]
