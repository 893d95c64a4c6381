"""The protocol of all analyzers."""

from typing import Protocol

from analysis.document import ImageResult
from analysis.types import Options
from engines.types import U8

# Images that are analyzed at once: enough to keep the networks' batches full while files are read
# and pictures are written.
CONCURRENCY = 32


class Analyzer(Protocol):
    """Analyzes single images. Callers run up to `CONCURRENCY` calls at once.

    `embeds` is whether there is an embedder; for `same_person` see `ModelSpec`.
    """

    labels: tuple[str, ...]
    embeds: bool
    same_person: float

    async def analyze(self, name: str, data: bytes) -> tuple[ImageResult, U8 | None]:
        """Analyze an encoded image; return the result, and the upright pixels if requested.

        An error of the image is part of the result.

        Raises:
            RemoteError: the service does not answer.
        """

    async def analyze_frame(self, name: str, image: U8) -> ImageResult:
        """Analyze a frame of a video, RGB uint8 (h, w, 3).

        Raises:
            RemoteError: the service does not answer.
            ServiceError: this frame cannot be analyzed.
        """


def with_identities(options: Options, identify: bool) -> Options:
    """Return `options` with embeddings if `identify` is set."""
    return options._replace(embeddings=options.embeddings or identify)
