"""A result file as Markdown."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.gpu.results import DayResult, Figure, Machine, Parity
from bench.measure.output import header, row


def show(result: DayResult) -> Iterator[str]:
    """Yield the machine, the state of each stage, and the tables of figures and parities."""
    yield f"{'**Rehearsal without a GPU.** ' if result.rehearsal else ''}{result.date}"
    yield from _machine(result.machine)
    yield "\n" + header("stage | state | s | options | why | look at")
    for stage in result.stages:
        options = "; ".join(f"{name}: {value}" for name, value in stage.options.items())
        seconds = f"{stage.seconds:.0f}"
        yield row(stage.name, stage.state, seconds, options, stage.reason, stage.look)
    for stage in result.stages:
        for values in (stage.figures, stage.parities):
            yield from _tables(stage.name, values)


def _machine(machine: Machine) -> Iterator[str]:
    for gpu in machine.gpus:
        yield f"- {gpu.name}, compute capability {gpu.capability}, {gpu.memory / 2**20:,.0f} MiB"
    yield f"- driver {machine.driver}; {machine.cpu}, {machine.cores} core(s)"
    state = "" if machine.clean else ", with changes"
    yield f"- commit {machine.commit}{state}"


def _tables(stage: str, found: Sequence[Figure | Parity]) -> Iterator[str]:
    """Neighbours with the same units share a table."""
    for units, rows in groupby(found, lambda each: tuple(each.values)):
        yield "\n" + header(" | ".join((stage, *units)))
        for each in rows:
            yield row(each.name, *(f"{value:g}" for value in each.values.values()))
