"""Several workers as one: where runners are opened, and what the end of one worker means."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engines.catalog import Catalog
from engines.errors import PlanDamaged, RunnerLost
from engines.worker import channel
from engines.worker.pool import Workers
from engines.worker.process import Worker
from tests.engines.faulty import DAMAGED, DIES

pytestmark = pytest.mark.skipif(not channel.supported(), reason="there are workers on Linux only")
SPEC = Catalog.load().get("emotion-fer48")
PLAN = Path("plan")
FAULTY = [sys.executable, "-m", "tests.engines.faulty"]


def batch(*items: int) -> dict[str, np.ndarray]:
    return {"items": np.array(items, np.uint8)}


def test_each_runner_is_opened_where_the_fewest_are() -> None:
    with closing(Workers([Worker(FAULTY, limit_s=60) for _ in range(2)])) as pool:
        pool.start(lambda: None)
        with pytest.raises(PlanDamaged), pool.open(DAMAGED, SPEC):
            pass
        for _ in range(2):  # what was closed, or never open, counts no more
            with pool.open(PLAN, SPEC) as first, pool.open(PLAN, SPEC) as second:
                with pytest.raises(RunnerLost):
                    first.infer(batch(DIES))
                assert second.infer(batch(1, 2))["doubled"].tolist() == [2, 4], "not its worker"
