"""ONNX Runtime's errors as ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from engines.errors import GpuMemoryError, GpuMissingError, PlanDamagedError, RunnerError
from engines.memory import mib

# Messages of ONNX Runtime's arena, CUDA, cuBLAS and cuDNN if there is too little memory.
NO_MEMORY = re.compile(
    r"(?P<budget>smaller than )?requested (?:bytes of|buffer of size) (?P<needed>\d+)"
    "|out of memory|ALLOC_FAILED"
)
# The useful part of a message of CUDA, cuBLAS or cuDNN, which also has paths and host names.
FAILURE = re.compile(r"[A-Z_]+ failure \d+: [^;\n]+[^;\n ]")


@contextmanager
def typed(limit: int | None, *, loading: bool = False) -> Iterator[None]:
    """Turn errors of the library, which have no common base class, into ours.

    `limit` is the budget in bytes, if there is one.

    Raises:
        GpuMemoryError: the GPU or the budget has too little memory.
        GpuMissingError: `loading` a session, CUDA does not start.
        PlanDamagedError: `loading` a session, the graph is damaged.
        RunnerError: anything else.
    """
    try:
        yield
    except Exception as error:
        message = str(error)
        failure = FAILURE.search(message)
        reason = failure[0] if failure else message.partition("\n")[0]
        if found := NO_MEMORY.search(message):
            # The frames of the error refer to the session, and so to its memory.
            raise GpuMemoryError(_lack(found, limit)) from error.with_traceback(None)
        if not loading:
            raise RunnerError(f"ONNX Runtime failed on the GPU: {reason}") from error
        if isinstance(error, RuntimeError):
            raise GpuMissingError(f"ONNX Runtime cannot start CUDA: {reason}") from error
        raise PlanDamagedError(
            f"ONNX Runtime does not load the plan: {reason}; "
            "run `emotions build --force --engine cuda`"
        ) from error


def _lack(found: re.Match[str], limit: int | None) -> str:
    amount = f"{mib(int(found['needed']))} MiB more" if found["needed"] else "more memory"
    text = f"ONNX Runtime needs {amount} on the GPU than"
    if found["budget"] and limit is not None:
        return (
            f"{text} the budget of {mib(limit)} MiB has left. Raise EMOTIONS_GPU_MEMORY_BYTES, or "
            "use smaller models or fp16"
        )
    return f"{text} is free. End other programs on the GPU, or use smaller models or fp16"
