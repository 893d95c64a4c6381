"""Downloads of weights; an interrupted download is resumed, a finished one is verified."""

from collections.abc import Callable
from pathlib import Path

from engines.catalog import ModelSpec
from engines.disk import failed_to_write
from engines.errors import ChecksumError, DownloadError, WeightsMissingError
from engines.weights import DROPPED, downloaded, remedy, sha256, verified

CHUNK = 1 << 20

Progress = Callable[[int, int | None], None]


def pull(spec: ModelSpec, cache: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download the weights of `spec` into `cache`, unless they are there, and return their path.

    `progress` is called with the bytes done and the total bytes (None if the server does not send
    the length).

    Raises:
        WeightsMissingError: the catalog has no URL for it.
        DownloadError: the server, the network or the disk failed; the next call resumes.
        ChecksumError: the whole file is not the catalog's; it is removed.
    """
    target = downloaded(spec, cache)
    if target is None or spec.url is None:
        folder = DROPPED.get(spec.task)
        raise WeightsMissingError(f"{spec.name} has no url: {remedy(spec, folder)}")
    if target.is_file() and sha256(target) == spec.sha256:
        return target
    part = target.with_name(target.name + ".part")
    _fetch(spec, spec.url, part, progress)
    try:
        verified(part, spec)
    except ChecksumError:
        part.unlink()
        raise
    return part.replace(target)


def _fetch(spec: ModelSpec, url: str, part: Path, progress: Progress) -> None:
    """Complete the file `part`; errors as `pull`."""
    import httpx  # noqa: PLC0415  (slow to import, and no other command needs it)

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(spec, part, error) from error
    try:
        _stream(url, part, progress)
    except (OSError, httpx.HTTPError) as error:
        if isinstance(error, OSError) and failed_to_write(error, part):
            raise _cannot_write(spec, part, error) from error
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise DownloadError(
            f"downloading {spec.name} from {url} failed ({reason}); {_again(spec)}"
        ) from error


def _stream(url: str, part: Path, progress: Progress) -> None:
    """Request what `part` lacks and append it."""
    import httpx  # noqa: PLC0415  (see above)

    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=60) as answer:
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part may be whole: its checksum decides
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


def _cannot_write(spec: ModelSpec, part: Path, error: OSError) -> DownloadError:
    return DownloadError(
        f"cannot write {part} ({error.strerror}); make room or let this user write to the folder, "
        f"or choose another with EMOTIONS_PLANS; then {_again(spec)}"
    )


def _again(spec: ModelSpec) -> str:
    return f"run `emotions models pull {spec.entry}` again, it resumes where it stopped"
