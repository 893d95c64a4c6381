"""Invented results of GPU days."""

import msgspec

from bench.gpu.quote import NEEDED
from bench.gpu.results import DayResult, Figure, GpuFound, Machine, Parity, StageResult
from bench.inputs.scenes import ONE_FACE

HERE = Machine(
    cpu="AMD EPYC",
    cores=16,
    gpus=(GpuFound("NVIDIA L4", "8.9", 24 << 30),),
    driver="580.65.06",
    libraries={"tensorrt": "11.4.0"},
    commit="581b5e0",
    clean=True,
)
LOAD = StageResult(
    "load",
    "go",
    12.5,
    figures=(
        Figure(f"tensorrt, {ONE_FACE}, 64 clients", {"images_per_s": 2100.4, "p50_ms": 30}),
        Figure(f"tensorrt, {ONE_FACE}, open loop at 70 %", {"images_per_s": 1470, "p50_ms": 9}),
    ),
)
PLANS = StageResult("plans-fp16", "go", 90, parities=(Parity("tensorrt, fp16", {"iou": 0.999}),))
OTHERS = tuple(StageResult(name, "go") for name in NEEDED if name not in {"load", "plans-fp16"})
WHOLE = DayResult("2026-12-01", False, HERE, (*OTHERS, PLANS, LOAD))


def changed(**machine: object) -> DayResult:
    """The result of another machine."""
    other = msgspec.structs.replace(HERE, **machine)
    return msgspec.structs.replace(WHOLE, machine=other)


def with_options(**options: str) -> DayResult:
    """A result whose load was run with other options than the usual ones."""
    return WHOLE.with_stage(msgspec.structs.replace(LOAD, options=options))
