"""Too little memory is an error that leaves nothing behind; the arena is ONNX Runtime's own."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engines.backends.cuda import runner as runner_module
from engines.backends.cuda.library import Provider
from engines.backends.cuda.runner import CudaRunner
from engines.backends.cuda.session import Session
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError
from engines.types import Array, Feeds
from tests.engines.backends.cuda.stand_in import LANDMARKS, MIB, faces


def with_batches(*sizes: int) -> ModelSpec:
    return msgspec.structs.replace(LANDMARKS, batches=sizes)


def test_a_budget_that_is_too_small_is_named_and_smaller_batches_fit(
    budget: Callable[[int], Provider], plan: Path
) -> None:
    provider = budget(30 * MIB)
    with pytest.raises(GpuMemoryError, match=r"MiB more .* budget of 30\.0 MiB .*MEMORY_BYTES"):
        CudaRunner(plan, with_batches(1, 8, 512), provider)
    with CudaRunner(plan, with_batches(1, 8), provider) as opened:
        assert len(opened.infer(faces(20))["offsets"]) == 20


def test_an_error_keeps_no_session_alive(
    budget: Callable[[int], Provider], plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[weakref.ref[Session]] = []

    class Watched(Session):
        def run(self, feeds: Feeds) -> dict[str, Array]:
            made.append(weakref.ref(self))
            return super().run(feeds)

    monkeypatch.setattr(runner_module, "Session", Watched)
    gc.disable()
    try:
        with pytest.raises(GpuMemoryError) as raised:
            CudaRunner(plan, with_batches(512, 8), budget(30 * MIB))
        error = raised.value.with_traceback(None)
        del raised
        assert error.__cause__ is not None
        assert [session() for session in made] == [None, None]
    finally:
        gc.enable()
