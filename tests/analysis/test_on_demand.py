"""Larger detectors are opened by the first image that needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from analysis.analyze import analyze
from analysis.networks import open_networks
from analysis.on_demand import OnDemandRunner
from analysis.types import Input, Options
from bench import fakes
from engines.errors import PlanDamagedError
from engines.types import Runner
from tests.analysis.pictures import PLAIN, shipped
from tests.photographs import ASTRONAUT_FILE


def test_a_larger_detector_is_opened_when_an_image_needs_it(plans: Path, tmp_path: Path) -> None:
    file = tmp_path / "opened"

    def opened() -> int:
        return file.read_text().count("detector") if file.exists() else 0

    in_blocks = 0

    @contextmanager
    def opening() -> Iterator[None]:
        nonlocal in_blocks
        before = opened()
        yield
        in_blocks += opened() - before

    engine = fakes.recorder(str(file))
    with open_networks(engine, shipped(plans), opening=opening) as networks:
        for _ in range(2):
            analyze([Input(ASTRONAUT_FILE.read_bytes(), PLAIN)], networks)
        assert opened() == 1
        large = Input(np.zeros((720, 1280, 3), np.uint8), Options(min_face=20))
        for _ in range(2):
            analyze([large], networks)[0].unwrap()
        assert opened() == 2
    assert in_blocks == 2, "both had the time for it"


def test_a_plan_that_does_not_load_is_tried_again() -> None:
    tries: list[int] = []

    def broken() -> Runner:
        tries.append(1)
        raise PlanDamagedError("the plan is damaged")

    with OnDemandRunner(broken) as runner:
        assert not tries
        for number in (1, 2):
            with pytest.raises(PlanDamagedError):
                runner.infer({})
            assert len(tries) == number
