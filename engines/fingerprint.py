"""Fingerprints of plans."""

import hashlib

import msgspec

import tensorrtx
from engines import weights
from engines.catalog import ModelSpec, Precision
from engines.types import Engine
from engines.weights import WeightsFile


class Fingerprint(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that a plan depends on; plans with equal fingerprints are interchangeable.

    `model` is the name and the version of the catalog's entry; `options` has the size of an input.
    `heights` is empty for a plan with only one height.
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

    @property
    def arguments(self) -> str:
        """Arguments of `emotions build` and `emotions verify` for this plan.

        They name the catalog's entry, so that the plans of all of its sizes are made at once.
        """
        name = self.model.rpartition(" ")[0]
        return f"--engine {self.engine} --precision {self.precision} {name}"


def fingerprint(
    spec: ModelSpec, source: WeightsFile, engine: Engine, precision: Precision
) -> Fingerprint:
    """Return the fingerprint of a plan of `spec` on this machine, with weights from `source`."""
    network, heights = tensorrtx.NETWORKS[spec.network], engine.heights(spec)
    options = weights.options(spec, source.sha256)
    return Fingerprint(
        model=f"{spec.entry} {spec.version}",
        weights=source.sha256,
        network=f"{network.name} {network.version}",
        options=msgspec.json.encode(options, order="deterministic").decode(),
        batches=spec.batches,
        precision=precision,
        engine=engine.name,
        identity=engine.identity(),
        heights=heights if len(heights) > 1 else (),
    )
