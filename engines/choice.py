"""Which engine runs the networks: the one asked for, or for `auto` the fastest that is here."""

from typing import NamedTuple

from engines.device import Cuda
from engines.errors import EngineError, GpuMissing, LibraryMissing
from engines.runner import Engine, load_engine

ON_GPU = ("tensorrt", "tensorrt-rtx")


class Choice(NamedTuple):
    """An engine, and why it is this one."""

    engine: Engine
    reason: str


def choose(name: str, capability: str | None = None) -> Choice:
    """Return the engine called `name`; `auto` takes the fastest that can run here.

    That is TensorRT where a GPU and the library are, else OpenVINO where it is installed, else ONNX
    Runtime. An engine asked for by name is that engine or an error, never another one.

    Raises:
        EngineError: see `load_engine`.
    """
    if name != "auto":
        return Choice(load_engine(name, capability), "asked for by name")
    try:
        Cuda.load()
    except GpuMissing as missing:
        return _on_cpu(str(missing))
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
    return _on_cpu("; ".join(refused))


def _on_cpu(why: str) -> Choice:
    try:
        return Choice(load_engine("openvino"), f"{why}; OpenVINO is installed")
    except LibraryMissing:
        return Choice(load_engine("onnxruntime"), f"{why}; OpenVINO is not installed")
