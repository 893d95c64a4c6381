"""The algorithm of the HorizontalPodAutoscaler, with the rule that users apply."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.result import Answer, Result
from bench.scaling import step
from bench.scaling.manifest import faster, read, scaled_object
from bench.scaling.rule import Autoscaler, Direction, Policy, Rule, proposed
from bench.scaling.step import Moment, Step

RULE = read(scaled_object()).rule
SYNC_S = 15.0
# Long enough for every window and period, and for as many changes as there are pods.
SYNCS = 200
PODS = st.integers(RULE.minimum, RULE.maximum)
VALUES = st.dictionaries(st.sampled_from([*RULE.triggers]), st.floats(0, 1000))


def saturating(load: float, pods: int) -> dict[str, float]:
    """The values under a constant load: pods are busy, or busy and with a queue."""
    return {"busy": min(load, pods), "queue": 2.0 * pods if load > pods else 0.0}


def simulated(
    signal: Callable[[float, int], dict[str, float]], load: float, pods: int, rule: Rule = RULE
) -> list[int]:
    """The number of pods after each decision."""
    autoscaler, found = Autoscaler(rule), [pods]
    for number in range(SYNCS):
        values = signal(load, found[-1])
        found.append(autoscaler.decide(number * SYNC_S, found[-1], values))
    return found


def flaps(pods: list[int]) -> int:
    changes = [new - old for old, new in itertools.pairwise(pods) if new != old]
    return sum(old < 0 < new for old, new in itertools.pairwise(changes))


@pytest.mark.parametrize(
    ("current", "value", "expected"),
    [
        (2, 1.4, 2),
        (2, 1.53, 2),  # 9 % above the target
        (2, 1.55, 3),
        (4, 2.6, 4),  # 7 % below the target
        (4, 2.1, 3),
        (4, 0.0, 0),
        (2, 70.0, 100),
    ],
)
def test_the_number_of_pods_is_the_value_by_the_threshold(
    current: int, value: float, expected: int
) -> None:
    assert proposed(current, value, 0.7) == expected


@given(start=PODS, values=st.lists(VALUES, max_size=60))
def test_bounds_and_policies_hold(start: int, values: list[dict[str, float]]) -> None:
    autoscaler, found = Autoscaler(RULE), [start]
    for number, each in enumerate(values):
        found.append(autoscaler.decide(number * SYNC_S, found[-1], each))
        if each.keys() != RULE.triggers.keys():
            assert found[-1] >= found[-2], "without a value the number of pods does not shrink"
    assert all(RULE.minimum <= pods <= RULE.maximum for pods in found)
    (up,), (down,) = RULE.up.policies, RULE.down.policies
    for number, (before, after) in enumerate(itertools.pairwise(found), 1):
        if after > before:
            assert after <= up.most(found[max(0, number - int(up.seconds / SYNC_S))])
        if after < before:
            assert after >= down.fewest(found[max(0, number - int(down.seconds / SYNC_S))])


@given(start=PODS, load=st.floats(0, 7))
def test_a_constant_load_gets_enough_pods_and_never_flaps(start: int, load: float) -> None:
    pods = simulated(saturating, load, start)
    assert flaps(pods) == 0
    assert len(set(pods[-20:])) == 1
    target = RULE.triggers["busy"]
    assert load <= (target * 1.1) * pods[-1] + 1e-9
    assert pods[-1] <= max(RULE.minimum, math.ceil(load / target), load / (target * 0.9))


def test_a_rule_on_the_images_under_way_alone_would_flap() -> None:
    """Their number depends on the number of pods: in a queue of type M/M/1 it is u / (1 - u)."""
    rule = RULE._replace(triggers={"under way": 2.0})

    def under_way(load: float, pods: int) -> dict[str, float]:
        return {"under way": pods * load / (pods - load)}

    assert flaps(simulated(under_way, 1.5, 2, rule)) > 1
    assert flaps(simulated(saturating, 1.5, 2)) == 0


def test_a_drop_of_the_load_waits_for_the_window() -> None:
    autoscaler = Autoscaler(RULE)
    busy = {"busy": 2.5, "queue": 0.0}
    assert autoscaler.decide(0, 4, busy) == 4
    idle = {"busy": 0.1, "queue": 0.0}
    window = RULE.down.window_s
    assert autoscaler.decide(window - 1, 4, idle) == 4
    assert autoscaler.decide(window + 1, 4, idle) == 2


def test_any_policy_suffices_in_both_directions() -> None:
    policies = [Policy("Pods", 4, 60), Policy("Percent", 50, 60)]
    either = Direction(0, policies)
    rule = Rule(1, 100, either, either, {"busy": 1.0})
    assert Autoscaler(rule).decide(0, 4, {"busy": 50}) == 8
    assert Autoscaler(rule).decide(0, 40, {"busy": 80}) == 60
    assert Autoscaler(rule).decide(0, 40, {"busy": 1}) == 20
    assert Autoscaler(rule).decide(0, 5, {"busy": 1}) == 1


def test_times_are_divided_by_the_factor() -> None:
    assert faster("rate(a[1m]) + max_over_time(b[30s])", 15) == (
        "rate(a[4000ms]) + max_over_time(b[2000ms])"
    )
    slow, fast = read(scaled_object()), read(scaled_object(), 15)
    assert fast.rule.down.window_s * 15 == slow.rule.down.window_s
    assert [each.seconds * 15 for each in fast.rule.up.policies] == [
        each.seconds for each in slow.rule.up.policies
    ]
    assert (fast.rule.triggers, fast.queries.keys()) == (slow.rule.triggers, slow.queries.keys())


def test_another_kind_of_trigger_is_an_error(tmp_path: Any) -> None:
    document = scaled_object()
    document["spec"]["triggers"][0]["metricType"] = "Value"
    with pytest.raises(ValueError, match="Value"):
        read(document)
    with pytest.raises(FileNotFoundError):
        scaled_object(tmp_path)


def test_a_step_is_a_line_of_the_table() -> None:
    answers = [Answer(200, 0.1, at / 10) for at in range(1, 101)]
    late, early = Answer(503, 0.1, 5.0), Answer(503, 0.1, 1.0)
    load = Result(10, [*answers, late, early], elapsed=10.0)
    load.errors["cut"] += 1
    wanted = (2, 4, 4, 3, 4, 4)
    found = Step(2.5, load, [Moment(at, pods, pods, {}) for at, pods in enumerate(wanted)])
    assert (found.changes, found.flaps) == ([2, -1, 1], 1)
    assert (found.rejected(), found.rejected(2)) == (2, 1)
    assert found.row(2) == "| 2.5 | 10 | 4 | 4 | 3 | 1 | 100 | 2 | 1 | 1 (cut) | 100 | 100 |"
    assert step.HEAD.splitlines()[0].count("|") == found.row(2).count("|")
