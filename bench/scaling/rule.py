"""How many pods Kubernetes wants, by the algorithm of its HorizontalPodAutoscaler.

Sources: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (algorithm, behaviour),
and `pkg/controller/podautoscaler` in github.com/kubernetes/kubernetes for what it leaves open.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

TOLERANCE = 0.1


class Policy(NamedTuple):
    """At most `value` pods, or percent of the pods, more or fewer in `seconds`."""

    kind: str
    value: float
    seconds: float

    def most(self, pods: int) -> int:
        """The most pods to which `pods` may grow in the period."""
        grown = pods + self.value if self.kind == "Pods" else pods * (1 + self.value / 100)
        return math.ceil(grown)

    def fewest(self, pods: int) -> int:
        """The fewest pods to which `pods` may shrink in the period."""
        shrunk = pods - self.value if self.kind == "Pods" else pods * (1 - self.value / 100)
        return int(shrunk)


class Direction(NamedTuple):
    """The behaviour in one direction: any of the policies suffices for a change."""

    window_s: float
    policies: Sequence[Policy]


class Rule(NamedTuple):
    """Bounds, behaviour, and a threshold for each query."""

    minimum: int
    maximum: int
    up: Direction
    down: Direction
    triggers: Mapping[str, float]


def proposed(current: int, value: float, threshold: float) -> int:
    """The number of pods for one query with a target of type AverageValue, in thousandths."""
    usage, target = int(1000 * value), round(1000 * threshold)
    if abs(usage / (target * current) - 1) <= TOLERANCE:
        return current
    return -(-usage // target)


@dataclass
class Autoscaler:
    """Decides at each step, and remembers earlier proposals and changes."""

    rule: Rule
    _proposals: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, current: int, values: Mapping[str, float]) -> int:
        """Return the number of pods from now on.

        Args:
            now: seconds on any clock that never goes back.
            current: wanted number of pods until now.
            values: results of the queries. If one is missing, the number of pods does not shrink.
        """
        rule = self.rule
        wanted = [proposed(current, v, rule.triggers[query]) for query, v in values.items()]
        if values.keys() != rule.triggers.keys():
            wanted.append(current)
        stable = self._stabilize(now, current, max(wanted))
        decided = min(max(stable, rule.minimum), rule.maximum)
        if decided > current:
            starts = self._starts(now, current, rule.up)
            most = max(policy.most(start) for policy, start in starts)
            decided = min(decided, max(current, most))
        elif decided < current:
            starts = self._starts(now, current, rule.down)
            fewest = min(policy.fewest(start) for policy, start in starts)
            decided = max(decided, min(current, fewest))
        if decided != current:
            self._changes.append((now, decided - current))
        return decided

    def _stabilize(self, now: float, current: int, wanted: int) -> int:
        """Grow to what was wanted all through one window, shrink to the most in the other."""
        self._proposals.append((now, wanted))
        up = min(_within(self._proposals, now, self.rule.up.window_s))
        down = max(_within(self._proposals, now, self.rule.down.window_s))
        return min(max(current, up), down)

    def _starts(
        self, now: float, current: int, direction: Direction
    ) -> Iterator[tuple[Policy, int]]:
        """Each policy, and the number of pods when its period began."""
        for policy in direction.policies:
            yield policy, current - sum(_within(self._changes, now, policy.seconds))


def _within(events: Iterable[tuple[float, int]], now: float, seconds: float) -> list[int]:
    """Values of the events of the last `seconds`, including those of now."""
    return [value for at, value in events if at > now - seconds or at == now]
