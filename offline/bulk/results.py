"""The results of a part: Parquet objects in the target.

| object | rows |
|---|---|
| `images/PART.parquet` | one per image, and one per file with an error |
| `faces/PART.parquet` | one per face of an image |
| `frames/PART-VIDEO.parquet` | one per frame of a video |
| `frame_faces/PART-VIDEO.parquet` | one per face of a frame |

The object in `images` is written last: a part is done when it is there. A part that runs twice
writes the same objects again, with the same rows.
"""

from collections.abc import Sequence
from pathlib import Path

from offline.bulk.storage import Storage
from offline.bulk.types import Part
from offline.tables.convert import convert
from offline.tables.folder import TABLES as IMAGE_TABLES
from offline.video.tables import TABLES as VIDEO_TABLES

DONE = "images"
SUFFIX = ".parquet"


def done_parts(target: Storage) -> set[str]:
    """Return the names of the parts that are done.

    Raises:
        StorageError: the target cannot be listed.
    """
    return {Path(key).stem for key in target.keys(DONE)}


def write_video(target: Storage, part: Part, number: int, folder: Path) -> None:
    """Write the tables of a video of a part from the CSV files in `folder`.

    Raises:
        StorageError: the target cannot be written.
    """
    _write(target, f"{part.name}-{number}", folder, VIDEO_TABLES, ("frame_faces", "frames"))


def write_images(target: Storage, part: Part, folder: Path) -> None:
    """Write the tables of the images of a part from the CSV files in `folder`: the part is done.

    Raises:
        StorageError: the target cannot be written.
    """
    _write(target, part.name, folder, IMAGE_TABLES, ("faces", DONE))


def _write(
    target: Storage, name: str, folder: Path, tables: Sequence[str], kinds: Sequence[str]
) -> None:
    convert(folder, "parquet", tables)
    for table, kind in zip(tables, kinds, strict=True):
        target.write(f"{kind}/{name}{SUFFIX}", (folder / table).with_suffix(SUFFIX))
