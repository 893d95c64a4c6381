"""Weights on disk: dropped in place by the user, shipped, or downloaded and verified."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from engines.catalog import ModelSpec, OptionValue, Task
from engines.errors import ChecksumError, DownloadError, WeightsMissingError

ROOT = Path(__file__).parents[1]
# Where users of tensorrtx are used to put the file that gen_wts wrote.
DROPPED: dict[Task, Path] = {
    "detector": ROOT / "tensorrtx" / "retinaface",
    "embedder": ROOT / "tensorrtx" / "arcface",
}
SUFFIXES = (".wts", ".pth", ".pt")
CHUNK = 1 << 20

Progress = Callable[[int, int | None], None]


def find(spec: ModelSpec, cache: Path, dropped: dict[Task, Path] | None = None) -> Path:
    """Return the weights file of `spec`: the user's own first, then shipped, then downloaded.

    Raises:
        WeightsMissingError: there is none; the message names the command that fetches one, or the
            place to drop one.
        ChecksumError: a shipped or downloaded file is not the catalog's.
    """
    folder = (DROPPED if dropped is None else dropped).get(spec.task)
    suffixes = (".onnx",) if spec.network.startswith("onnx") else SUFFIXES
    own = [folder / f"{spec.name}{suffix}" for suffix in suffixes] if folder else []
    for path in own:
        if path.is_file():
            return path
    for place in (shipped(spec), downloaded(spec, cache)):
        if place is not None and place.is_file():
            return _verified(place, spec)
    raise WeightsMissingError(f"no weights for {spec.name}: {_remedy(spec, folder)}")


def options(spec: ModelSpec, digest: str) -> dict[str, OptionValue]:
    """Keyword arguments of the network for the weights with this sha256.

    What was put in place of the catalog's file is computed plainly: as wherever it came from.
    """
    return {**spec.options, **(spec.weights_options if digest == spec.sha256 else {})}


def shipped(spec: ModelSpec) -> Path | None:
    """The path that the catalog names, if it names one."""
    return spec.root / spec.weights if spec.weights else None


def downloaded(spec: ModelSpec, cache: Path) -> Path | None:
    """Where `pull` puts the file of `spec`, if it can be pulled."""
    return cache / f"{spec.name}{Path(urlsplit(spec.url).path).suffix}" if spec.url else None


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pull(spec: ModelSpec, cache: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download the weights of `spec`, resuming a part that an earlier try left; verify; publish.

    `progress` gets bytes done and bytes in all (None where the server does not say).

    Raises:
        WeightsMissingError: the catalog has no url for it.
        DownloadError: the server or the network failed; what came is kept for the next try.
        ChecksumError: the whole file is not the catalog's; it is removed.
    """
    target = downloaded(spec, cache)
    if target is None or spec.url is None:
        raise WeightsMissingError(
            f"{spec.name} has no url: {_remedy(spec, DROPPED.get(spec.task))}"
        )
    if target.is_file() and sha256(target) == spec.sha256:
        return target
    import httpx  # noqa: PLC0415  (no other command needs it; it takes longer than most do)

    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch(spec.url, part, progress)
    except OSError as error:
        raise DownloadError(
            f"cannot write {part} ({error.strerror}); make room or let this user write to the "
            "folder, or choose another with EMOTIONS_PLANS; then "
            f"run `emotions models pull {spec.name}` again, it goes on where it stopped"
        ) from error
    except httpx.HTTPError as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DownloadError(
            f"downloading {spec.name} from {spec.url} failed ({reason}); "
            f"run `emotions models pull {spec.name}` again, it goes on where it stopped"
        ) from error
    try:
        _verified(part, spec)
    except ChecksumError:
        part.unlink()
        raise
    return part.replace(target)


def _fetch(url: str, part: Path, progress: Progress) -> None:
    import httpx  # noqa: PLC0415

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=60) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part is whole already; its checksum decides
        answer.raise_for_status()
        resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_raw(CHUNK):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)


def _verified(path: Path, spec: ModelSpec) -> Path:
    found = sha256(path)
    if spec.sha256 is not None and found != spec.sha256:
        raise ChecksumError(
            f"{path} is not the file that the catalog names for {spec.name} "
            f"(sha256 {found}, expected {spec.sha256}); fetch it again, or name it in a catalog of "
            "your own"
        )
    return path


def _remedy(spec: ModelSpec, folder: Path | None) -> str:
    ways = [f"run `emotions models pull {spec.name}`"] if spec.url else []
    if folder is not None:
        kind = ".onnx" if spec.network.startswith("onnx") else ".wts (or .pth)"
        ways.append(f"put {spec.name}{kind} into {folder}")
    return ", or ".join(ways) or "its catalog entry needs `weights` or `url`"
