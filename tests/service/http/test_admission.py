"""Requests are admitted within limits, and everything they took is given back."""

import math
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from analysis.errors import OverloadedError
from service.errors import TooManyRequestsError
from service.http.admission import Admission, Admitted, Limits
from tests.service.clock import Clock

ANY = 10**9


def admission(
    images: int = ANY, per_key: int = 0, size: int = ANY, clock: Clock | None = None
) -> Admission:
    return Admission(Limits(images, per_key, size), 1, clock or Clock())


def entered(stack: ExitStack, door: Admission, key: str | None = None, images: int = 0) -> Admitted:
    admitted = stack.enter_context(door.enter(key, math.inf))
    if images:
        admitted.take(images)
    return admitted


def test_images_beyond_the_limit_are_refused() -> None:
    door = admission(images=4)
    with ExitStack() as stack:
        entered(stack, door, images=3)
        last = entered(stack, door)
        with pytest.raises(OverloadedError, match="too many images"):
            last.take(2)
        last.take(1)
        with pytest.raises(OverloadedError), door.enter(None, math.inf):
            pass
        last.finish()
        entered(stack, door)
    assert door.images == 0


def test_a_request_whose_body_comes_slowly_takes_no_place() -> None:
    door = admission(images=1)
    with ExitStack() as stack:
        for _ in range(10):
            entered(stack, door)
        entered(stack, door, images=1)


def test_a_key_beyond_its_limit_is_refused_and_another_is_not() -> None:
    door = admission(per_key=4)
    with ExitStack() as stack:
        entered(stack, door, "a", 3)
        entered(stack, door, "a")
        with pytest.raises(
            TooManyRequestsError, match="4 images under way and may have 4"
        ) as refused:
            entered(stack, door, "a")
        assert refused.value.headers["Retry-After"] == "1"
        entered(stack, door, "b", 4)
    with ExitStack() as stack:
        entered(stack, door, "a", 4)


def test_a_request_that_grows_beyond_the_key_s_limit_is_refused() -> None:
    door = admission(per_key=4)
    with ExitStack() as stack:
        entered(stack, door, "a")
        second = entered(stack, door, "a")
        with pytest.raises(TooManyRequestsError):
            second.take(4)


def test_the_key_s_images_count_until_the_answer_has_left() -> None:
    door = admission(images=4, per_key=4)
    with ExitStack() as stack:
        entered(stack, door, "a", 4).finish()
        entered(stack, door, "b", 4)
        with pytest.raises(TooManyRequestsError):
            entered(stack, door, "a")


def test_whoever_is_alone_is_admitted_however_large() -> None:
    door = admission(images=4, per_key=4, size=4)
    with ExitStack() as stack:
        first = entered(stack, door, "a")
        first.hold(64)
        first.take(64)
        with pytest.raises(TooManyRequestsError):
            entered(stack, door, "a")
        with pytest.raises(OverloadedError):
            entered(stack, door, "b")


def test_no_key_and_no_limit_are_no_reason_to_refuse() -> None:
    for door, key in ((admission(per_key=1), None), (admission(), "a")):
        with ExitStack() as stack:
            for _ in range(10):
                entered(stack, door, key, 10)


def test_bytes_beyond_the_limit_are_refused() -> None:
    door = admission(size=10)
    with ExitStack() as stack:
        first, second = entered(stack, door), entered(stack, door)
        first.hold(6)
        second.hold(4)
        for each in (first, second):
            with pytest.raises(OverloadedError, match="too much is being sent"):
                each.hold(1)
    assert door.bytes == 0


def test_a_request_that_would_wait_longer_than_its_deadline_is_refused() -> None:
    clock = Clock()
    door = admission(clock=clock)
    door.pace.seconds = 1.0
    with ExitStack() as stack:
        entered(stack, door, images=10)
        with door.enter(None, clock.now + 12.5):
            pass
        with pytest.raises(
            OverloadedError, match=r"about 10\.0 s, longer than the request's deadline"
        ):
            stack.enter_context(door.enter(None, clock.now + 12.4))
    with door.enter(None, clock.now + 0.001) as alone:
        alone.take(1)


def test_an_error_gives_everything_back() -> None:
    door = admission()

    def fail() -> None:
        with door.enter("a", math.inf) as admitted:
            admitted.hold(5)
            admitted.take(5)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert (door.images, door.bytes, door.by_key) == (0, 0, {})


def test_images_that_end_after_the_answer_free_nothing_twice() -> None:
    """A client may hang up while images are analyzed."""
    door = admission()
    with door.enter("a", math.inf) as admitted:
        admitted.take(5)
    admitted.finish()
    assert (door.images, door.bytes, door.by_key) == (0, 0, {})


LIMITS = Limits(images=8, images_per_key=5, bytes=20)
KEYS = st.sampled_from([None, "a", "b", "c"])


class Requests(RuleBasedStateMachine):
    """Requests come, grow, finish and leave in any order."""

    requests: Bundle[Admitted] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.door = Admission(LIMITS, 1, Clock())
        self.stacks: dict[Admitted, ExitStack] = {}

    @rule(target=requests, key=KEYS)
    def enter(self, key: str | None) -> Admitted:
        stack = ExitStack()
        try:
            admitted = stack.enter_context(self.door.enter(key, math.inf))
        except TooManyRequestsError:
            assert self.of_key(key) + 1 > LIMITS.images_per_key
            return Admitted(self.door, key, 0)
        except OverloadedError:
            assert self.door.images + 1 > LIMITS.images or self.door.bytes > LIMITS.bytes
            return Admitted(self.door, key, 0)
        self.stacks[admitted] = stack
        return admitted

    @rule(request=requests, images=st.integers(1, 12))
    def take(self, request: Admitted, images: int) -> None:
        if request not in self.stacks or request.images:
            return
        before = self.state(request)
        others = self.of_key(request.key) - request.of_key
        full = request.key is not None and others > 0 and others + images > LIMITS.images_per_key
        try:
            request.take(images)
        except TooManyRequestsError:
            assert full
            assert self.state(request) == before
        except OverloadedError:
            assert not full
            assert self.state(request) == before
        else:
            assert not full
            assert request.images == request.of_key == images

    @rule(request=requests, size=st.integers(0, 30))
    def hold(self, request: Admitted, size: int) -> None:
        if request not in self.stacks:
            return
        others = self.door.bytes - request.bytes
        fits = not others or self.door.bytes + size <= LIMITS.bytes
        try:
            request.hold(size)
        except OverloadedError:
            assert not fits
        else:
            assert fits

    @rule(request=requests)
    def finish(self, request: Admitted) -> None:
        request.finish()

    @rule(request=consumes(requests))
    def leave(self, request: Admitted) -> None:
        if request in self.stacks:
            self.stacks.pop(request).close()

    def of_key(self, key: str | None) -> int:
        return sum(each.of_key for each in self.stacks if each.key == key)

    def state(self, request: Admitted) -> tuple[int, ...]:
        door = self.door
        own = (request.of_key, request.images, request.bytes)
        return (*own, door.images, door.bytes, *door.by_key.values())

    @invariant()
    def counts_what_is_there(self) -> None:
        assert self.door.images == sum(each.images for each in self.stacks)
        assert self.door.bytes == sum(each.bytes for each in self.stacks)
        keys = {each.key for each in self.stacks}
        assert self.door.by_key == {key: self.of_key(key) for key in keys}

    @invariant()
    def keeps_limits_unless_one_is_alone(self) -> None:
        self.within(LIMITS.images, [each.images for each in self.stacks])
        self.within(LIMITS.bytes, [each.bytes for each in self.stacks])
        for key in "abc":
            counts = [each.of_key for each in self.stacks if each.key == key]
            self.within(LIMITS.images_per_key, counts)

    @staticmethod
    def within(limit: int, counts: list[int]) -> None:
        assert sum(counts) <= limit or sum(count > 0 for count in counts) == 1

    def teardown(self) -> None:
        for stack in self.stacks.values():
            stack.close()
        assert (self.door.images, self.door.bytes, self.door.by_key) == (0, 0, {})


Requests.TestCase.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
TestRequests = Requests.TestCase
