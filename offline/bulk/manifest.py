"""Which files belong to which part. The target stores this, so that no later run divides anew.

`_manifest/NUMBER.jsonl` has a line per part, with the name, the path and the error of each file. A
run that finds new files adds one such object. `_manifest/job.json` has the options, because results
of different options must not be mixed.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from offline.bulk.storage import Storage
from offline.bulk.types import Part
from offline.errors import OutputError
from offline.files import FoundFile

FOLDER = "_manifest"
JOB = f"{FOLDER}/job.json"


def check_job(target: Storage, job: dict[str, Any]) -> None:
    """Store the options of a job, or compare them with the stored ones.

    Raises:
        OutputError: the target has results of other options, or other files.
        StorageError: the target cannot be read or written.
    """
    if not (stored := _stored_job(target)):
        if next(target.keys(), None) is not None:
            raise OutputError(f"{target.place} holds other files; choose an empty target")
        target.create(JOB, json.dumps(job, indent=1).encode())
        # Another run may have stored its own in between.
        stored = _stored_job(target)
    differing = sorted(name for name in stored | job if stored.get(name) != job.get(name))
    if differing:
        names = ", ".join(f"{name} {stored.get(name)!r}" for name in differing)
        raise OutputError(f"{target.place} has results with {names}; use the same, or a new target")


def _stored_job(target: Storage) -> dict[str, Any]:
    try:
        stored = json.loads(target.read(JOB))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _damaged(target, JOB) from error
    if not isinstance(stored, dict):
        raise _damaged(target, JOB)
    return stored


def _damaged(target: Storage, what: str) -> OutputError:
    return OutputError(f"{target.place}: {what} is damaged; restore it, or choose a new target")


def load_parts(target: Storage) -> list[Part]:
    """Return the parts that the target stores, by number.

    Raises:
        OutputError: an object of the manifest is damaged.
        StorageError: the target cannot be read.
    """
    keys = sorted(key for key in target.keys(FOLDER) if key.endswith(".jsonl"))
    return [part for key in keys for part in _load(target, key)]


def _load(target: Storage, key: str) -> list[Part]:
    try:
        parts = [decode(line) for line in target.read(key).splitlines()]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(target, key) from error
    if not parts:
        raise _damaged(target, key)
    return parts


def check_done(target: Storage, parts: Sequence[Part], done: Collection[str]) -> None:
    """Check that the manifest has all parts that have results: a number must not be used again.

    Raises:
        OutputError: it lacks one.
    """
    names = {part.name for part in parts}
    if missing := sorted(name for name in done if name not in names):
        raise _damaged(target, f"{FOLDER} lacks {missing[0]}, so it")


def add_parts(
    target: Storage, parts: Sequence[Part], files: Iterable[FoundFile], size: int
) -> list[Part]:
    """Divide the files that are not in `parts` into new parts, store them and return them.

    A part has `size` files, or one video.

    Raises:
        OutputError: another run stores parts at the same time.
        StorageError: the target cannot be written.
    """
    known = {file.name for part in parts for file in part.files}
    chunks = _divide((file for file in files if file.name not in known), size)
    new = [Part(number, chunk) for number, chunk in enumerate(chunks, len(parts))]
    if new:
        lines = "".join(f"{encode(part)}\n" for part in new).encode()
        if not target.create(f"{FOLDER}/{len(parts):08d}.jsonl", lines):
            raise OutputError(f"another run writes into {target.place}; start again when it ends")
    return new


def _divide(files: Iterable[FoundFile], size: int) -> Iterator[list[FoundFile]]:
    chunk: list[FoundFile] = []
    for file in files:
        if file.promises_video:
            yield [file]
            continue
        chunk.append(file)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def encode(part: Part) -> str:
    """Return a part as one line of ASCII: names on disk may hold any bytes."""
    rows = [(file.name, str(file.path), file.error) for file in part.files]
    return json.dumps({"part": part.number, "files": rows})


def decode(line: str | bytes) -> Part:
    """Return the part of a line of `encode`."""
    found = json.loads(line)
    files = [FoundFile(Path(path), name, error) for name, path, error in found["files"]]
    return Part(found["part"], files)
