"""Which engine runs the networks: the one named in the settings, or for `auto` the fastest."""

import importlib
from typing import NamedTuple

from engines.errors import EngineError, GpuMissingError, LibraryMissingError
from engines.gpus import visible
from engines.types import Engine

ENGINES = ("tensorrt", "tensorrt-rtx", "cuda", "openvino", "onnxruntime")
ON_GPU = ("tensorrt", "tensorrt-rtx", "cuda")


class Choice(NamedTuple):
    """An engine, and the reason for it."""

    engine: Engine
    reason: str


def load_engine(name: str, capability: str | None = None, memory: int | None = None) -> Engine:
    """Return the engine `name`; its library is imported now.

    `capability`, e.g. `8.9`, is the compute capability that tensorrt-rtx compiles for; `memory` is
    the budget of this process on its GPU, in bytes; by default there is none. A name like
    "package.module:factory:argument" stands for the engine `factory(argument)`.

    Raises:
        EngineError: there is no such engine, or its library or GPU is missing.
    """
    match name:
        case "auto":
            return choose(name, capability, memory).engine
        case "cuda":
            from engines.backends.cuda.engine import CudaEngine  # noqa: PLC0415  (heavy)

            return CudaEngine.load(memory)
        case "onnxruntime":
            from engines.backends.onnxruntime import OnnxRuntime  # noqa: PLC0415  (heavy)

            return OnnxRuntime()
        case "openvino":
            from engines.backends.openvino.engine import OpenVino  # noqa: PLC0415  (optional)

            return OpenVino()
        case "tensorrt" | "tensorrt-rtx":
            from engines.backends.tensorrt.engine import TensorRT  # noqa: PLC0415  (optional)

            return TensorRT.load(name, capability, memory)
        case _ if name.count(":") == 2:
            module, factory, argument = name.split(":")
            made: Engine = getattr(importlib.import_module(module), factory)(argument)
            return made
        case _:
            raise EngineError(f"no engine {name!r}; there are: auto, {', '.join(ENGINES)}")


def choose(name: str, capability: str | None = None, memory: int | None = None) -> Choice:
    """Return the engine `name`, or for `auto` the fastest one that can run here.

    With a GPU, `auto` is the first of `ON_GPU` whose library is installed and can use it. Otherwise
    it is OpenVINO if that is installed, else ONNX Runtime. The reason names the obstacle of each
    engine before it. Any other name never falls back to another engine.

    `capability`, `memory`: see `load_engine`.

    Raises:
        EngineError: see `load_engine`.
    """
    if name != "auto":
        return Choice(load_engine(name, capability, memory), "chosen by name")
    try:
        visible()
    except GpuMissingError as missing:
        return _on_cpu(str(missing))
    refused: list[str] = []
    for candidate in ON_GPU:
        try:
            engine = load_engine(candidate, capability, memory)
        except EngineError as error:
            refused.append(str(error))
            continue
        obstacle = engine.obstacle()
        if obstacle is None:
            return Choice(engine, "; ".join([*refused, "a GPU and the library are here"]))
        refused.append(obstacle)
    return _on_cpu("; ".join(refused))


def _on_cpu(why: str) -> Choice:
    try:
        return Choice(load_engine("openvino"), f"{why}; OpenVINO is installed")
    except LibraryMissingError:
        return Choice(load_engine("onnxruntime"), f"{why}; OpenVINO is not installed")
