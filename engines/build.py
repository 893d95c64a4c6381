"""The build step: weights -> ONNX graph -> plan, verified against the reference, then published."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import onnx

import tensorrtx
from engines import contract, parity, plan, weights
from engines.backends.onnxruntime import OnnxRuntimeRunner
from engines.catalog import ModelSpec, OptionValue, Precision
from engines.errors import EngineError, PlanDamagedError, PlanMissingError
from engines.graph.precision import convert
from engines.types import Engine, Report, Runner

Say = Callable[[str], None]


class Built(NamedTuple):
    """A plan that is in place."""

    path: Path
    sidecar: plan.Sidecar
    fresh: bool


def graph(spec: ModelSpec, weights_file: Path, heights: tuple[int, ...] = ()) -> onnx.ModelProto:
    """Return the network of `spec` filled with its weights, as every engine gets it.

    `heights` are those of the engine: with several the graph's height is free.

    Raises:
        EngineError: the weights do not fit the network, with the tensor named, or the network is
            not one of this task.
    """
    options = weights.options(spec, weights.sha256(weights_file))
    free = {"free_height": True} if len(heights) > 1 else {}
    model = export(spec.network, weights_file, {**options, **free})
    return contract.fitted(model, spec)


def export(network: str, weights_file: Path, options: Mapping[str, OptionValue]) -> onnx.ModelProto:
    """Fill a network of `tensorrtx.NETWORKS` with weights; errors as `graph`."""
    if network not in tensorrtx.NETWORKS:
        known = ", ".join(tensorrtx.NETWORKS)
        raise EngineError(f"no network {network!r}; there are: {known}")
    try:
        return tensorrtx.export(network, weights_file, **dict[str, Any](options))
    except (tensorrtx.WeightsError, OSError, ValueError, TypeError) as error:
        raise EngineError(f"cannot fill {network} from {weights_file}: {error}") from error


def build(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = plan.DEFAULT_FOLDER,
    *,
    precision: Precision | None = None,
    faces: Path | None = None,
    force: bool = False,
    say: Say = lambda line: None,
    report: Report = lambda phase, step, steps: None,
) -> Built:
    """Put a verified plan of `spec` in place, unless the very one is there already.

    `faces` is a folder to calibrate int8 with. Where the engine cannot run, the plan is put in
    place unverified, with `parity` None.

    Raises:
        WeightsMissingError, ChecksumError: see `engines.weights.find`.
        ParityError: the plan answers differently from the reference; it is not put in place.
        EngineError: the engine does not compute in `precision` here, `faces` are given for another
            than int8, or the weights are of another network or task.
    """
    precision = _chosen(engine, precision)
    if faces is not None and precision != "int8":
        raise EngineError(f"{precision} takes no calibration; build int8 (--precision int8)")
    source = weights.find(spec, folder / "weights")
    key = plan.fingerprint(spec, source, engine, precision)
    path = plan.plan_path(folder, key, engine)
    if not force:
        try:
            sidecar = plan.read(path, key)
            if sidecar.parity is None and engine.obstacle() is None:
                sidecar = reverify(spec, engine, folder, precision)
            return Built(path, sidecar, fresh=False)
        except PlanMissingError:
            pass
        except PlanDamagedError as error:
            say(str(error.args[0]).partition(";")[0] + "; building it anew")
    say(f"building {spec.name} from {source.name} for {engine.name}, {precision}")
    model = graph(spec, source, engine.heights(spec))
    typed = convert(model, spec, precision, faces)
    with plan.staged(path) as temporary:
        temporary.write_bytes(engine.compile(typed, spec, path.parent, report))
        sidecar = plan.Sidecar(key, weights.sha256(temporary), None)
        if engine.obstacle() is None:
            parity = _parity(spec, engine, temporary, model, precision)
            sidecar = msgspec.structs.replace(sidecar, parity=parity)
    plan.describe(path, sidecar)
    return Built(path, sidecar, fresh=True)


def _chosen(engine: Engine, precision: Precision | None) -> Precision:
    """The precision asked for, or the engine's default."""
    if precision is None:
        return engine.precisions[0]
    if precision not in engine.precisions:
        known = ", ".join(engine.precisions)
        raise EngineError(f"{engine.name} does not compute in {precision} here; choose of {known}")
    return precision


def _parity(
    spec: ModelSpec, engine: Engine, path: Path, model: onnx.ModelProto, precision: Precision
) -> dict[str, float]:
    with engine.open(path, spec) as runner, reference(spec, model) as plain:
        return parity.check(spec, runner, plain, precision, engine.heights(spec))


def find(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = plan.DEFAULT_FOLDER,
    precision: Precision | None = None,
) -> tuple[Path, plan.Sidecar]:
    """Find the verified plan whose fingerprint model, engine and hardware ask for now.

    Raises:
        PlanMissingError, PlanDamagedError: the message names the command that builds it.
        WeightsMissingError: the weights it was built from are gone.
        EngineError: the engine does not compute in `precision` here.
    """
    precision = _chosen(engine, precision)
    key = plan.fingerprint(spec, weights.find(spec, folder / "weights"), engine, precision)
    path = plan.plan_path(folder, key, engine)
    sidecar = plan.read(path, key)
    if sidecar.parity is None:
        raise PlanMissingError(
            f"{path} was built but never verified; run `emotions verify {plan.arguments(key)}`"
        )
    return path, sidecar


def reverify(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = plan.DEFAULT_FOLDER,
    precision: Precision | None = None,
) -> plan.Sidecar:
    """Hold a plan that is in place against the reference again, and note the figures beside it.

    Raises:
        PlanMissingError, PlanDamagedError: as `find`, except that an unverified plan is welcome.
        ParityError: it is outside the limits; it stays unverified, and the service refuses it.
        EngineError: the engine does not compute in `precision` here.
    """
    precision = _chosen(engine, precision)
    source = weights.find(spec, folder / "weights")
    path = plan.plan_path(folder, key := plan.fingerprint(spec, source, engine, precision), engine)
    sidecar = msgspec.structs.replace(plan.read(path, key), parity=None)
    plan.describe(path, sidecar)
    model = graph(spec, source, engine.heights(spec))
    parity = _parity(spec, engine, path, model, precision)
    plan.describe(path, sidecar := msgspec.structs.replace(sidecar, parity=parity))
    return sidecar


def reference(spec: ModelSpec, model: onnx.ModelProto) -> Runner:
    """Open the numerical reference: the plain graph in ONNX Runtime, no optimisation at all."""
    return OnnxRuntimeRunner(model.SerializeToString(), spec, optimised=False)
