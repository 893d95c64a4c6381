"""A plan on a GPU: a session per batch size."""

from pathlib import Path

import msgspec

from engines.backends.cuda.library import Provider
from engines.backends.cuda.session import CudaPlan, Session
from engines.batches import joined
from engines.catalog import ModelSpec
from engines.errors import PlanDamagedError
from engines.pieces import pieces
from engines.types import Array, Feeds, Runner


class CudaRunner(Runner):
    """Runs batches in pieces of the plan's batch sizes."""

    def __init__(self, path: Path, spec: ModelSpec, provider: Provider) -> None:
        """Load the plan for the batch sizes of `spec`.

        Raises:
            GpuMemoryError, GpuMissingError, PlanDamagedError, RunnerError: see `Session`.
        """
        plan = _read(path, spec)
        # The largest first: the others use its memory.
        self._sessions = {
            size: Session(plan, (size, *spec.input_shape), provider)
            for size in reversed(spec.batches)
        }
        self._sizes = spec.batches

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`.

        Raises:
            GpuMemoryError, RunnerError: see `Session.run`.
        """
        results: list[dict[str, Array]] = []
        start = 0
        rows = len(next(iter(feeds.values())))
        for piece in pieces(rows, self._sizes):
            part = {name: array[start : start + piece.rows] for name, array in feeds.items()}
            results.append(self._sessions[piece.size].run(part))
            start += piece.rows
        return joined(results)

    def __exit__(self, *error: object) -> None:
        self._sessions.clear()


def _read(path: Path, spec: ModelSpec) -> CudaPlan:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=CudaPlan)
    except msgspec.DecodeError as error:
        raise PlanDamagedError(
            f"{path} is not a plan of the engine cuda; "
            f"run `emotions build --force --engine cuda {spec.name}`"
        ) from error
