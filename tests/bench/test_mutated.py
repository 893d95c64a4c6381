"""Damaged bodies by the thousand: none is a 5xx, and the same come for the same seed."""

import random
from pathlib import Path

from bench.mutate import mutated
from bench.mutated import run
from service.settings import Settings

COUNT = 800


def test_the_same_seed_damages_in_the_same_way() -> None:
    first, second = ([mutated(random.Random(7)) for _ in range(50)] for _ in range(2))
    assert first == second


async def test_damaged_bodies_are_answered(plans: Path) -> None:
    report = await run(Settings(plans=plans), COUNT, seed=1)
    assert report.count == COUNT
    assert not report.failures
    assert {200, 400, 422} <= set(report.statuses)
