"""Files of weights: the user's own, shipped, or downloaded."""

import hashlib
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from engines.catalog import ModelSpec, OptionValue, Task
from engines.errors import ChecksumError, WeightsMissingError

ROOT = Path(__file__).parents[1]
# Folders for the user's own weights, such as the file that tensorrtx's gen_wts writes.
DROPPED: dict[Task, Path] = {
    "detector": ROOT / "tensorrtx" / "retinaface",
    "embedder": ROOT / "tensorrtx" / "arcface",
}
SUFFIXES = (".wts", ".pth", ".pt")


class WeightsFile(NamedTuple):
    """A file of weights and the sha256 of its bytes."""

    path: Path
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "WeightsFile":
        """Compute the checksum of a file."""
        return cls(path, sha256(path))


def find(spec: ModelSpec, cache: Path, dropped: dict[Task, Path] | None = None) -> WeightsFile:
    """Return the weights of `spec`: the user's own first, then shipped, then downloaded.

    `cache` is the folder of downloaded files; `dropped` has the folders of the user's own files, by
    task.

    Raises:
        WeightsMissingError: there are no weights; the message names the command that downloads
            them, or the folder for them.
        ChecksumError: a shipped or downloaded file is not the catalog's.
    """
    folder = (DROPPED if dropped is None else dropped).get(spec.task)
    suffixes = (".onnx",) if spec.network.startswith("onnx") else SUFFIXES
    own = [folder / f"{spec.entry}{suffix}" for suffix in suffixes] if folder else []
    for path in own:
        if path.is_file():
            return WeightsFile.of(path)
    for place in (shipped(spec), downloaded(spec, cache)):
        if place is not None and place.is_file():
            return verified(place, spec)
    raise WeightsMissingError(f"no weights for {spec.name}: {remedy(spec, folder)}")


def options(spec: ModelSpec, digest: str) -> dict[str, OptionValue]:
    """Keyword arguments of the network for the weights with this sha256.

    `weights_options` apply only to the catalog's file, not to the user's own.
    """
    return {**spec.options, **(spec.weights_options if digest == spec.sha256 else {})}


def shipped(spec: ModelSpec) -> Path | None:
    """The path that the catalog names, if it names one."""
    return spec.root / spec.weights if spec.weights else None


def downloaded(spec: ModelSpec, cache: Path) -> Path | None:
    """The path to which `engines.download.pull` writes the file of `spec`, if it has a URL."""
    return cache / f"{spec.entry}{Path(urlsplit(spec.url).path).suffix}" if spec.url else None


def sha256(*paths: Path) -> str:
    """The hex digest of a file, or of several files one after another."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def verified(path: Path, spec: ModelSpec) -> WeightsFile:
    """Return the file with its checksum.

    Raises:
        ChecksumError: the catalog names another checksum.
    """
    found = WeightsFile.of(path)
    if spec.sha256 is not None and found.sha256 != spec.sha256:
        raise ChecksumError(
            f"{path} is not the file that the catalog names for {spec.name} "
            f"(sha256 {found.sha256}, expected {spec.sha256}); fetch it again, or name it in a "
            "catalog of your own"
        )
    return found


def remedy(spec: ModelSpec, folder: Path | None) -> str:
    """How to get weights; `folder` is where the user may put them."""
    ways = [f"run `emotions models pull {spec.entry}`"] if spec.url else []
    if folder is not None:
        kind = ".onnx" if spec.network.startswith("onnx") else ".wts (or .pth)"
        ways.append(f"put {spec.entry}{kind} into {folder}")
    if not ways and (place := shipped(spec)):
        return f"there is no file {place}"
    return ", or ".join(ways) or "its catalog entry needs `weights` or `url`"
