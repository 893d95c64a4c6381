"""From weights to a plan, which is verified against the reference before it is published."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import onnx

from engines import parity, plan, weights
from engines.backends.onnxruntime import OnnxRuntimeRunner
from engines.catalog import ModelSpec, Precision
from engines.disk import atomic_write, locked
from engines.errors import EngineError, PlanDamagedError, PlanMissingError
from engines.graph.precision import convert
from engines.libraries import select as libraries
from engines.network import graph
from engines.plan import DEFAULT_FOLDER, Resolved, Sidecar, resolve
from engines.types import Engine, Report, Runner

# Prints or logs a line.
Log = Callable[[str], None]


class Built(NamedTuple):
    """A published plan; `fresh` is true if this call built it."""

    path: Path
    sidecar: Sidecar
    fresh: bool


def build(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = DEFAULT_FOLDER,
    *,
    precision: Precision | None = None,
    faces: Path | None = None,
    force: bool = False,
    log: Log = lambda line: None,
    report: Report = lambda phase, step, steps: None,
) -> Built:
    """Build and verify the plan of `spec`, unless that plan exists or `force` is true.

    Processes that build the same plan, on all machines that share `folder`, wait for each other, so
    that it is built once. `faces` is a folder of images to calibrate int8 with. Where the engine
    cannot run, the plan is published unverified: its `parity` is None.

    Raises:
        WeightsMissingError, ChecksumError: see `engines.weights.find`.
        ParityError: the plan's outputs differ from the reference; it is not published.
        EngineError: the engine does not compute in `precision` here, `faces` are given for another
            precision than int8, or the weights do not fit the network or the task.
    """
    if spec.library:
        return Built(*libraries.find(spec), fresh=False)
    resolved = resolve(spec, engine, folder, precision)
    if faces is not None and resolved.precision != "int8":
        raise EngineError(
            f"{resolved.precision} takes no calibration; build int8 (--precision int8)"
        )
    waiting = partial(log, f"another process builds {spec.name}; waiting for it")
    with locked(resolved.path, waiting):
        sidecar = None if force else _existing(resolved, log)
        if sidecar is not None:
            return Built(resolved.path, sidecar, fresh=False)
        source = resolved.weights.path.name
        log(f"building {spec.name} from {source} for {engine.name}, {resolved.precision}")
        return Built(resolved.path, _publish(resolved, faces, report), fresh=True)


def find(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = DEFAULT_FOLDER,
    precision: Precision | None = None,
) -> tuple[Path, Sidecar]:
    """Find the verified plan of a model for this engine and this machine.

    Raises:
        PlanMissingError, PlanDamagedError: the message names the command that builds it.
        WeightsMissingError: the weights that it was built from are gone.
        EngineError: the engine does not compute in `precision` here.
    """
    if spec.library:
        return libraries.find(spec)
    resolved = resolve(spec, engine, folder, precision)
    sidecar = plan.read(resolved)
    if sidecar.parity is None:
        obstacle = engine.obstacle()
        fix = f"run `emotions verify {resolved.fingerprint.arguments}`"
        raise PlanMissingError(
            f"{resolved.path} was built but never verified; "
            + (fix if obstacle is None else f"it cannot run here: {obstacle}")
        )
    return resolved.path, sidecar


def verify(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = DEFAULT_FOLDER,
    precision: Precision | None = None,
) -> Sidecar:
    """Compare an existing plan with the reference again, and write the figures to its sidecar.

    Raises:
        PlanMissingError, PlanDamagedError: as `find`, except that the plan may be unverified.
        ParityError: it is outside the limits; it stays unverified, and the service rejects it.
        EngineError: the engine does not compute in `precision` here.
    """
    if spec.library:
        return libraries.find(spec)[1]
    resolved = resolve(spec, engine, folder, precision)
    return _verify(resolved, plan.read(resolved))


def _existing(resolved: Resolved, log: Log) -> Sidecar | None:
    """The sidecar of an intact plan, which is first verified if it is not yet and can be here."""
    try:
        sidecar = plan.read(resolved)
    except PlanMissingError:
        return None
    except PlanDamagedError as error:
        log(f"{str(error).partition(';')[0]}; building it again")
        return None
    if sidecar.parity is None and resolved.engine.obstacle() is None:
        return _verify(resolved, sidecar)
    return sidecar


def _publish(resolved: Resolved, faces: Path | None, report: Report) -> Sidecar:
    """Compile the plan into a temporary file, verify it there, and move it to its path."""
    spec, engine, path = resolved.spec, resolved.engine, resolved.path
    model = graph(spec, resolved.weights, engine.heights(spec))
    typed = convert(model, spec, resolved.precision, faces)
    with atomic_write(path) as temporary:
        temporary.write_bytes(engine.compile(typed, spec, path.parent, report))
        runs = engine.obstacle() is None
        figures = _parity(resolved, temporary, model) if runs else None
        sidecar = Sidecar(resolved.fingerprint, weights.sha256(temporary), figures)
    plan.write_sidecar(path, sidecar)
    return sidecar


def _verify(resolved: Resolved, sidecar: Sidecar) -> Sidecar:
    """Mark a plan as unverified, compare it, and mark it as verified if it passes."""
    plan.write_sidecar(resolved.path, msgspec.structs.replace(sidecar, parity=None))
    model = graph(resolved.spec, resolved.weights, resolved.engine.heights(resolved.spec))
    figures = _parity(resolved, resolved.path, model)
    passed = msgspec.structs.replace(sidecar, parity=figures)
    plan.write_sidecar(resolved.path, passed)
    return passed


def _parity(resolved: Resolved, path: Path, model: onnx.ModelProto) -> dict[str, float]:
    spec, engine = resolved.spec, resolved.engine
    with engine.open(path, spec) as runner, reference(spec, model) as plain:
        return parity.check(spec, runner, plain, resolved.precision, engine.heights(spec))


def reference(spec: ModelSpec, model: onnx.ModelProto) -> Runner:
    """Open the numerical reference: the float32 graph in ONNX Runtime without optimisations."""
    return OnnxRuntimeRunner(model.SerializeToString(), spec, optimised=False)
