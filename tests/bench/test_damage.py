"""Damaged bodies: the answer is never a 5xx, and the same seed gives the same damage."""

import random
from pathlib import Path

import pytest

from bench.fuzz.targets import TARGETS, seeds
from bench.inputs.mutations import mutated
from bench.mutated import run
from service.settings import Settings

COUNT = 800


def test_the_same_seed_gives_the_same_damage() -> None:
    first, second = ([mutated(random.Random(7)) for _ in range(50)] for _ in range(2))
    assert first == second


async def test_damaged_bodies_are_answered(plans: Path) -> None:
    report = await run(Settings(plans=plans), COUNT, seed=1)
    assert report.count == COUNT
    assert not report.failures
    assert {200, 400, 422} <= set(report.statuses)


@pytest.mark.parametrize("target", TARGETS)
def test_fuzz_targets_accept_their_seeds(target: str) -> None:
    for seed in seeds(target):
        TARGETS[target](seed)
