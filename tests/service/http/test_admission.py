"""Requests are admitted within limits, and everything that they reserved is released."""

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
from service.http.admission import Admission, Limits, Reservation
from tests.service.clock import Clock

ANY = 10**9


def admission(
    images: int = ANY, per_key: int = 0, size: int = ANY, clock: Clock | None = None
) -> Admission:
    return Admission(Limits(images, per_key, size), 1, clock or Clock())


def entered(
    stack: ExitStack, limited: Admission, key: str | None = None, images: int = 0
) -> Reservation:
    reservation = stack.enter_context(limited.admit(key, math.inf))
    if images:
        reservation.add_images(images)
    return reservation


def test_images_beyond_the_limit_are_refused() -> None:
    limited = admission(images=4)
    with ExitStack() as stack:
        entered(stack, limited, images=3)
        last = entered(stack, limited)
        with pytest.raises(OverloadedError, match="too many images"):
            last.add_images(2)
        last.add_images(1)
        with pytest.raises(OverloadedError), limited.admit(None, math.inf):
            pass
        last.release_images()
        entered(stack, limited)
    assert limited.images == 0


def test_a_request_counts_no_images_until_its_body_is_read() -> None:
    limited = admission(images=1)
    with ExitStack() as stack:
        for _ in range(10):
            entered(stack, limited)
        entered(stack, limited, images=1)


def test_a_key_beyond_its_limit_is_refused_and_another_is_not() -> None:
    limited = admission(per_key=4)
    with ExitStack() as stack:
        entered(stack, limited, "a", 3)
        entered(stack, limited, "a")
        with pytest.raises(
            TooManyRequestsError, match=r"4 images under way.* limit is 4"
        ) as refused:
            entered(stack, limited, "a")
        assert refused.value.headers["Retry-After"] == "1"
        entered(stack, limited, "b", 4)
    with ExitStack() as stack:
        entered(stack, limited, "a", 4)


def test_a_request_that_grows_beyond_the_key_s_limit_is_refused() -> None:
    limited = admission(per_key=4)
    with ExitStack() as stack:
        entered(stack, limited, "a")
        second = entered(stack, limited, "a")
        with pytest.raises(TooManyRequestsError):
            second.add_images(4)


def test_the_key_s_images_count_until_the_answer_has_left() -> None:
    limited = admission(images=4, per_key=4)
    with ExitStack() as stack:
        entered(stack, limited, "a", 4).release_images()
        entered(stack, limited, "b", 4)
        with pytest.raises(TooManyRequestsError):
            entered(stack, limited, "a")


def test_a_request_that_is_alone_is_admitted_however_large() -> None:
    limited = admission(images=4, per_key=4, size=4)
    with ExitStack() as stack:
        first = entered(stack, limited, "a")
        first.add_bytes(64)
        first.add_images(64)
        with pytest.raises(TooManyRequestsError):
            entered(stack, limited, "a")
        with pytest.raises(OverloadedError):
            entered(stack, limited, "b")


def test_no_key_and_no_limit_are_no_reason_to_refuse() -> None:
    for limited, key in ((admission(per_key=1), None), (admission(), "a")):
        with ExitStack() as stack:
            for _ in range(10):
                entered(stack, limited, key, 10)


def test_bytes_beyond_the_limit_are_refused() -> None:
    limited = admission(size=10)
    with ExitStack() as stack:
        first, second = entered(stack, limited), entered(stack, limited)
        first.add_bytes(6)
        second.add_bytes(4)
        for each in (first, second):
            with pytest.raises(OverloadedError, match="too large"):
                each.add_bytes(1)
    assert limited.bytes == 0


def test_a_request_that_would_wait_longer_than_its_deadline_is_refused() -> None:
    clock = Clock()
    limited = admission(clock=clock)
    limited.throughput.seconds_per_image = 1.0
    with ExitStack() as stack:
        entered(stack, limited, images=10)
        with limited.admit(None, clock.now + 12.5):
            pass
        with pytest.raises(OverloadedError, match=r"about 10\.0 s, longer than the deadline"):
            stack.enter_context(limited.admit(None, clock.now + 12.4))
    with limited.admit(None, clock.now + 0.001) as alone:
        alone.add_images(1)


def test_an_error_releases_everything() -> None:
    limited = admission()

    def fail() -> None:
        with limited.admit("a", math.inf) as reservation:
            reservation.add_bytes(5)
            reservation.add_images(5)
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert (limited.images, limited.bytes, limited.by_key) == (0, 0, {})


def test_images_that_end_after_the_answer_free_nothing_twice() -> None:
    """A client may disconnect while its images are analyzed."""
    limited = admission()
    with limited.admit("a", math.inf) as reservation:
        reservation.add_images(5)
    reservation.release_images()
    assert (limited.images, limited.bytes, limited.by_key) == (0, 0, {})


LIMITS = Limits(images=8, images_per_key=5, bytes=20)
KEYS = st.sampled_from([None, "a", "b", "c"])


class Requests(RuleBasedStateMachine):
    """Requests come, grow, finish and leave in any order."""

    requests: Bundle[Reservation] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.limited = Admission(LIMITS, 1, Clock())
        self.stacks: dict[Reservation, ExitStack] = {}

    @rule(target=requests, key=KEYS)
    def enter(self, key: str | None) -> Reservation:
        stack = ExitStack()
        try:
            reservation = stack.enter_context(self.limited.admit(key, math.inf))
        except TooManyRequestsError:
            assert self.of_key(key) + 1 > LIMITS.images_per_key
            return Reservation(self.limited, key, 0)
        except OverloadedError:
            assert self.limited.images + 1 > LIMITS.images or self.limited.bytes > LIMITS.bytes
            return Reservation(self.limited, key, 0)
        self.stacks[reservation] = stack
        return reservation

    @rule(request=requests, images=st.integers(1, 12))
    def take(self, request: Reservation, images: int) -> None:
        if request not in self.stacks or request.images:
            return
        before = self.state(request)
        others = self.of_key(request.key) - request.of_key
        full = request.key is not None and others > 0 and others + images > LIMITS.images_per_key
        try:
            request.add_images(images)
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
    def hold(self, request: Reservation, size: int) -> None:
        if request not in self.stacks:
            return
        others = self.limited.bytes - request.bytes
        fits = not others or self.limited.bytes + size <= LIMITS.bytes
        try:
            request.add_bytes(size)
        except OverloadedError:
            assert not fits
        else:
            assert fits

    @rule(request=requests)
    def finish(self, request: Reservation) -> None:
        request.release_images()

    @rule(request=consumes(requests))
    def leave(self, request: Reservation) -> None:
        if request in self.stacks:
            self.stacks.pop(request).close()

    def of_key(self, key: str | None) -> int:
        return sum(each.of_key for each in self.stacks if each.key == key)

    def state(self, request: Reservation) -> tuple[int, ...]:
        limited = self.limited
        own = (request.of_key, request.images, request.bytes)
        return (*own, limited.images, limited.bytes, *limited.by_key.values())

    @invariant()
    def counts_what_is_there(self) -> None:
        assert self.limited.images == sum(each.images for each in self.stacks)
        assert self.limited.bytes == sum(each.bytes for each in self.stacks)
        keys = {each.key for each in self.stacks}
        assert self.limited.by_key == {key: self.of_key(key) for key in keys}

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
        assert (self.limited.images, self.limited.bytes, self.limited.by_key) == (0, 0, {})


Requests.TestCase.settings = settings(deadline=None, max_examples=100, stateful_step_count=30)
TestRequests = Requests.TestCase
