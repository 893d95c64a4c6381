"""The libraries by name, and what stands for the plan of their detectors."""

from pathlib import Path

import msgspec

from engines import weights
from engines.catalog import ModelSpec
from engines.fingerprint import Fingerprint
from engines.libraries.haar import Haar
from engines.libraries.mtcnn import Mtcnn
from engines.libraries.types import Library
from engines.plan import Sidecar
from engines.types import Runner

LIBRARIES: dict[str, Library] = {"haar": Haar(), "mtcnn": Mtcnn()}


def find(spec: ModelSpec) -> tuple[Path, Sidecar]:
    """Return a file of the weights in the library, and the sidecar that a plan would have.

    Raises:
        LibraryMissingError: the library is not installed; the message names the command.
    """
    library = LIBRARIES[spec.network]
    files = library.weights()
    digest = weights.sha256(*files)
    key = Fingerprint(
        model=f"{spec.entry} {spec.version}",
        weights=digest,
        network=spec.network,
        options=msgspec.json.encode(spec.options, order="deterministic").decode(),
        batches=spec.batches,
        precision="fp32",
        engine=library.name,
        identity={"library": f"{library.name} {library.version()}"},
    )
    return files[0], Sidecar(key, digest, {})


def open_runner(spec: ModelSpec) -> Runner:
    """Load the detector of a library; errors as `find`."""
    return LIBRARIES[spec.network].open(spec)
