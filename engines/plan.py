"""Plans on disk: named by fingerprint, described by a sidecar, published by one rename."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

import tensorrtx
from engines.catalog import ModelSpec, Precision
from engines.errors import EngineError, PlanDamagedError, PlanMissingError
from engines.types import Engine
from engines.weights import options, sha256

DEFAULT_FOLDER = Path(__file__).with_name("plans")


class Fingerprint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that a plan depends on; two equal fingerprints mean interchangeable plans.

    `heights` is empty for a plan that takes one height.
    """

    model: str
    weights: str
    network: str
    options: str
    batches: tuple[int, ...]
    precision: Precision
    engine: str
    identity: dict[str, str]
    heights: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """Sixteen hex digits that name the plan's files."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


class Sidecar(msgspec.Struct, frozen=True):
    """What `<plan>.json` says: the fingerprint in full, the plan's bytes, and how it was verified.

    `parity` holds the figures of `engines.parity` or None for a plan that could not be run where
    it was built; the service refuses such a plan.
    """

    fingerprint: Fingerprint
    sha256: str
    parity: dict[str, float] | None


def fingerprint(
    spec: ModelSpec, source: Path, engine: Engine, precision: Precision = "fp32"
) -> Fingerprint:
    """Take the fingerprint of a plan of `spec`, with weights from `source`, for this machine."""
    network, heights = tensorrtx.NETWORKS[spec.network], engine.heights(spec)
    digest = sha256(source)
    return Fingerprint(
        model=f"{spec.name} {spec.version}",
        weights=digest,
        network=f"{network.name} {network.version}",
        options=msgspec.json.encode(options(spec, digest), order="deterministic").decode(),
        batches=spec.batches,
        precision=precision,
        engine=engine.name,
        identity=engine.identity(),
        heights=heights if len(heights) > 1 else (),
    )


def plan_path(folder: Path, key: Fingerprint, engine: Engine) -> Path:
    """Where the plan with this fingerprint lies."""
    name = key.model.split()[0]
    return folder / engine.name / f"{name}-{key.precision}-{key.digest}{engine.suffix}"


def read(path: Path, key: Fingerprint) -> Sidecar:
    """Return the sidecar of a plan whose bytes are those that the build wrote.

    Raises:
        PlanMissingError: there is no such plan.
        PlanDamagedError: plan or sidecar were changed or cut, or cannot be read.
    """
    name = key.model.split()[0]
    try:
        sidecar = msgspec.json.decode(_sidecar_path(path).read_bytes(), type=Sidecar)
        found = sha256(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PlanMissingError(
            f"no {key.engine} plan of {name} for these weights and this machine in "
            f"{path.parent}; run `emotions build {arguments(key)}`"
        ) from error
    except OSError as error:
        raise PlanDamagedError(
            f"{path} cannot be read ({error.strerror}); let this user read it, or "
            f"run `emotions build --force {arguments(key)}`"
        ) from error
    except msgspec.DecodeError as error:
        raise _damaged(path, key) from error
    if found != sidecar.sha256 or sidecar.fingerprint != key:
        raise _damaged(path, key)
    return sidecar


def arguments(key: Fingerprint) -> str:
    """What `emotions build` and `emotions verify` need to be told of a plan."""
    return f"--engine {key.engine} --precision {key.precision} {key.model.split()[0]}"


def _damaged(path: Path, key: Fingerprint) -> PlanDamagedError:
    return PlanDamagedError(f"{path} is damaged; run `emotions build --force {arguments(key)}`")


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path` that becomes `path` when the block ends well.

    A killed or failed block leaves nothing that `read` would take for a plan.

    Raises:
        EngineError: the folder cannot be written to, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".staged-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise EngineError(
            f"cannot write {path} ({error.strerror}); make room or let this user write to the "
            "folder, or choose another (EMOTIONS_PLANS is that of plans)"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def describe(path: Path, sidecar: Sidecar) -> None:
    """Write the sidecar, which makes the plan beside it count."""
    with staged(_sidecar_path(path)) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(sidecar)))


def _sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")
