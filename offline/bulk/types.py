"""The values that pass between the command, its parts and the machines that analyze them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from offline.files import FoundFile
from service.settings import Settings


class BulkJob(NamedTuple):
    """What `emotions bulk` does, in a form that other machines can receive.

    source, target: folders or URLs; fps: frames per second to analyze of a video, all by default.
    """

    settings: Settings
    source: str
    target: str
    embeddings: bool = False
    fps: float | None = None


class Part(NamedTuple):
    """Files that are analyzed together; their results appear together, under the part's number."""

    number: int
    files: Sequence[FoundFile]

    @property
    def name(self) -> str:
        """The file name of the results, without suffix."""
        return f"part-{self.number:06d}"


class PartReport(NamedTuple):
    """Counts of a part that has ended; with `problem`, it was not written and must run again.

    For the counts see `offline.progress.ResultCounter`.
    """

    part: int
    files: int
    images: int = 0
    videos: int = 0
    faces: int = 0
    failed: int = 0
    left_out: Mapping[str, int] = MappingProxyType({})
    problem: str = ""


# Analyzes parts and reports each of them; see `offline.bulk.local.run_local`.
Run = Callable[[BulkJob, Sequence[Part], Callable[[PartReport], None]], None]
