"""A key's share: what it has under way is counted, and always given back."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import TooManyRequests
from service.shares import Shares


def test_a_key_over_its_share_is_refused_and_another_is_not() -> None:
    shares = Shares(4)
    with ExitStack() as held:
        held.enter_context(shares.take("a")).take(3)
        held.enter_context(shares.take("a"))
        with pytest.raises(TooManyRequests, match="4") as refused, shares.take("a"):
            pass
        assert refused.value.headers["Retry-After"] == "1"
        held.enter_context(shares.take("b")).take(4)
    with shares.take("a") as share:
        share.take(4)


def test_a_request_that_grows_over_the_share_is_refused() -> None:
    shares = Shares(4)
    with shares.take("a"), shares.take("a") as second, pytest.raises(TooManyRequests):
        second.take(4)


def test_one_large_request_is_served_when_nothing_else_is_under_way() -> None:
    shares = Shares(4)
    with shares.take("a") as share:
        share.take(64)
        with pytest.raises(TooManyRequests), shares.take("a"):
            pass


def test_no_key_and_no_limit_are_no_reason_to_refuse() -> None:
    for shares, key in ((Shares(1), None), (Shares(0), "a")):
        with ExitStack() as held:
            for _ in range(10):
                held.enter_context(shares.take(key)).take(10)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9), st.booleans())))
def test_never_more_than_the_share_and_nothing_left_behind(
    steps: list[tuple[str, int, bool]],
) -> None:
    shares = Shares(8)
    taken: dict[str, int] = dict.fromkeys("abc", 0)
    held: list[tuple[str, int, ExitStack]] = []
    for key, images, leave in steps:
        if leave and held:
            owner, count, stack = held.pop(0)
            stack.close()
            taken[owner] -= count
        stack = ExitStack()
        try:
            stack.enter_context(shares.take(key)).take(images)
        except TooManyRequests:
            stack.close()
            assert taken[key]
            assert taken[key] + images > 8
        else:
            held.append((key, images, stack))
            taken[key] += images
            assert taken[key] == images or taken[key] <= 8
    for _, _, stack in held:
        stack.close()
    assert not shares._under_way
