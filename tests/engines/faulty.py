"""`python -m tests.engines.faulty`: a worker whose engine does what the items ask for."""

import os
import signal
import time
from pathlib import Path
from types import TracebackType
from typing import cast

from engines.catalog import ModelSpec
from engines.errors import PlanDamaged, RunnerError
from engines.runner import Array, Engine, Feeds, Runner
from engines.worker.lanes import run

RAISES, DIES, HANGS = 251, 252, 253
# Names of plans.
DAMAGED, DEADLY = Path("damaged"), Path("deadly")


class FaultyRunner:
    """Doubles items; what is above `RAISES` is a fault."""

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        items = feeds["items"]
        if (items == RAISES).any():
            raise RunnerError("an item was not to its taste")
        if (items == DIES).any():
            os.kill(os.getpid(), signal.SIGKILL)
        if (items == HANGS).any():
            time.sleep(1000)
        return {"doubled": items.astype("i4") * 2}

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class Faulty:
    """The engine: a plan's name says whether it can be opened."""

    def open(self, plan: Path, spec: ModelSpec) -> FaultyRunner:
        if plan.name == DAMAGED.name:
            raise PlanDamaged(f"{spec.name} is damaged")
        if plan.name == DEADLY.name:
            os._exit(3)
        return FaultyRunner()


if __name__ == "__main__":
    run(lambda: cast(Engine, Faulty()))
