"""Plans on disk: named by their fingerprint and described by a sidecar file."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from engines import weights
from engines.catalog import ModelSpec, Precision
from engines.disk import atomic_write
from engines.errors import EngineError, PlanDamagedError, PlanMissingError
from engines.fingerprint import Fingerprint, fingerprint
from engines.types import Engine
from engines.weights import WeightsFile

DEFAULT_FOLDER = Path(__file__).with_name("plans")


class Sidecar(msgspec.Struct, frozen=True):
    """Content of `<plan>.json`: the whole fingerprint, the plan's sha256, and its parity.

    `parity` holds the figures of `engines.parity`. It is None for a plan that could not run on the
    machine that built it; the service rejects such a plan.
    """

    fingerprint: Fingerprint
    sha256: str
    parity: dict[str, float] | None


class Resolved(NamedTuple):
    """A model on an engine in one precision: its weights, and where its plan lies or will lie."""

    spec: ModelSpec
    engine: Engine
    precision: Precision
    weights: WeightsFile
    fingerprint: Fingerprint
    path: Path


def resolve(
    spec: ModelSpec,
    engine: Engine,
    folder: Path = DEFAULT_FOLDER,
    precision: Precision | None = None,
) -> Resolved:
    """Find the weights, the fingerprint and the path of a plan; the plan need not exist.

    Without `precision` it is the engine's default. Downloaded weights lie in `folder`/weights.

    Raises:
        EngineError: the engine does not compute in `precision` here.
        WeightsMissingError, ChecksumError: see `engines.weights.find`.
    """
    precision = _supported(engine, precision)
    found = weights.find(spec, folder / "weights")
    key = fingerprint(spec, found, engine, precision)
    path = folder / engine.name / f"{spec.name}-{precision}-{key.digest}{engine.suffix}"
    return Resolved(spec, engine, precision, found, key, path)


def _supported(engine: Engine, precision: Precision | None) -> Precision:
    if precision is None:
        return engine.precisions[0]
    if precision not in engine.precisions:
        known = ", ".join(engine.precisions)
        raise EngineError(f"{engine.name} does not compute in {precision} here; it does in {known}")
    return precision


def read(resolved: Resolved) -> Sidecar:
    """Return the sidecar of a plan, after checking that the plan's bytes are those of the build.

    Raises:
        PlanMissingError: there is no such plan.
        PlanDamagedError: the plan or its sidecar was changed or truncated, or cannot be read.
    """
    path, key = resolved.path, resolved.fingerprint
    try:
        sidecar = msgspec.json.decode(_sidecar_path(path).read_bytes(), type=Sidecar)
        found = weights.sha256(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PlanMissingError(
            f"no {key.engine} plan of {resolved.spec.name} for these weights and this machine in "
            f"{path.parent}; run `emotions build {key.arguments}`"
        ) from error
    except OSError as error:
        raise PlanDamagedError(
            f"{path} cannot be read ({error.strerror}); let this user read it, or "
            f"run `emotions build --force {key.arguments}`"
        ) from error
    except msgspec.DecodeError as error:
        raise _damaged(resolved) from error
    if found != sidecar.sha256 or sidecar.fingerprint != key:
        raise _damaged(resolved)
    return sidecar


def _damaged(resolved: Resolved) -> PlanDamagedError:
    arguments = resolved.fingerprint.arguments
    return PlanDamagedError(f"{resolved.path} is damaged; run `emotions build --force {arguments}`")


def write_sidecar(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar of the plan at `path`; `read` treats a plan without one as missing."""
    with atomic_write(_sidecar_path(path)) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar)))


def _sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")
