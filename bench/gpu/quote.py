"""The sentence of the README about GPUs, made from the committed result if there is one."""

from pathlib import Path

from bench.gpu.results import DayResult, ResultError, load
from bench.gpu.signing import check
from bench.inputs.scenes import ONE_FACE
from engines.select import ON_GPU

COMMITTED = Path(__file__).parents[2] / "docs" / "gpu-results.json"
NONE = (
    "The graphs are verified with TensorRT-RTX's compiler on a CPU; "
    "[no GPU has run them yet](docs/tensorrt.md)."
)
# The stages that must have passed before a result is quoted.
NEEDED = ("inventory", "plans-fp16", "networks-fp16", "load", "faults")


def sentence(path: Path = COMMITTED) -> str:
    """Return the sentence.

    Raises:
        ResultError: there is a file, but it must not be quoted.
    """
    if not path.exists():
        return NONE
    result = load(path)
    check_quotable(result)
    rate = _rate(result)
    gpu, count = result.machine.gpus[0].name, len(result.machine.gpus)
    many = f"{count} x {gpu}" if count > 1 else gpu
    stopped = [stage.name for stage in result.stages if stage.state == "stop"]
    but = f"; {', '.join(stopped)} failed" if stopped else ""
    return (
        f"On {many} with {result.machine.cores} CPU cores the service analyzed {rate:,.0f} "
        f"images/s of 640x480 with one face ([measured](docs/gpu-day.md) on {result.date}{but})."
    )


def check_quotable(result: DayResult) -> None:
    """Check that a result is whole, of a real GPU, and of committed files.

    Raises:
        ResultError: it is not.
    """
    check(result)
    if result.rehearsal or not result.machine.gpus:
        raise ResultError("it is a rehearsal; only a result of a real GPU is quoted")
    if not result.machine.clean:
        raise ResultError("files differed from the commit; commit them and run again")
    needed = [stage for stage in result.stages if stage.name in NEEDED]
    for stage in needed:
        engines = stage.options.get("engines", "tensorrt").split(", ")
        if "models" in stage.options or not set(engines) <= set(ON_GPU):
            raise ResultError(f"the stage {stage.name} was not of the usual models and engines")
    states = {stage.name: stage.state for stage in needed}
    missing = [name for name in NEEDED if states.get(name) != "go"]
    if missing:
        raise ResultError(f"these stages did not pass: {', '.join(missing)}")


def _rate(result: DayResult) -> float:
    """Images per second of the service under load, on its best engine."""
    (load_stage,) = (stage for stage in result.stages if stage.name == "load")
    rates = [
        figure.values["images_per_s"]
        for figure in load_stage.figures
        if f", {ONE_FACE}, " in figure.name and figure.name.endswith("clients")
    ]
    if not rates:
        raise ResultError(f"the stage `load` has no figure of {ONE_FACE}")
    return max(rates)
