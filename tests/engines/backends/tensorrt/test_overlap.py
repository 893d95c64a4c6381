"""Two streams in turn: one is filled and copied while the other computes."""

import numpy as np

from engines.backends.tensorrt.runner import TensorRTRunner
from engines.types import Array
from tests.engines.backends.fake_cuda import Machine
from tests.engines.backends.tensorrt.network import of, offsets


def test_the_second_stream_is_filled_before_the_first_is_awaited(
    runner: TensorRTRunner, machine: Machine
) -> None:
    machine.events.clear()
    offsets(runner, 48)
    order = of(machine.events, "upload", "synchronize")
    first, second = order[0][1], order[1][1]
    assert first != second
    assert order == [
        ("upload", first),
        ("upload", second),
        ("synchronize", first),
        ("upload", first),
        ("synchronize", second),
        ("synchronize", first),
    ]


def test_answers_are_in_the_order_of_their_rows(runner: TensorRTRunner, expected: Array) -> None:
    np.testing.assert_allclose(offsets(runner, 40), expected, atol=1e-5)
