"""Which engine runs the networks: the one asked for, or for `auto` the fastest that is here."""

from typing import NamedTuple

from engines.device import Cuda
from engines.errors import EngineError, GpuMissing
from engines.runner import Engine, load_engine

ON_GPU = ("tensorrt", "tensorrt-rtx")
ELSEWHERE = "onnxruntime"


class Choice(NamedTuple):
    """An engine, and why it is this one."""

    engine: Engine
    reason: str


def choose(name: str, capability: str | None = None) -> Choice:
    """Return the engine called `name`; `auto` takes TensorRT where a GPU and the library are.

    An engine asked for by name is that engine or an error, never another one.

    Raises:
        EngineError: see `load_engine`.
    """
    if name != "auto":
        return Choice(load_engine(name, capability), "asked for by name")
    try:
        Cuda.load()
    except GpuMissing as missing:
        return Choice(load_engine(ELSEWHERE), str(missing))
    refused: list[str] = []
    for candidate in ON_GPU:
        try:
            engine = load_engine(candidate)
        except EngineError as error:
            refused.append(str(error))
            continue
        obstacle = engine.obstacle()
        if obstacle is None:
            return Choice(engine, "a GPU and the library are here")
        refused.append(obstacle)
    return Choice(load_engine(ELSEWHERE), "; ".join(refused))
