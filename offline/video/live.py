"""An analyzer for a camera: an error ends the frames, and earlier results are still written."""

import threading
from collections.abc import Iterator

from rich.console import Console

from analysis.document import ImageResult
from analysis.errors import ServiceError
from engines.types import U8
from offline.analyzers.types import Analyzer
from offline.errors import CorruptVideoError, RemoteError
from offline.video.camera import newest_frames
from offline.video.reading import Frame


class LiveAnalyzer:
    """An analyzer whose errors end the frames instead of the run, once there is a result.

    `error` is the error that ended them. A recording may be hours long by then, and it cannot be
    repeated, so its frames are written before the error is raised.
    """

    def __init__(
        self, analyzer: Analyzer, source: str, stop: threading.Event, console: Console
    ) -> None:
        self.labels, self.same_person = analyzer.labels, analyzer.same_person
        self.error: CorruptVideoError | RemoteError | None = None
        self._analyzer, self._source, self._stop = analyzer, source, stop
        self._console = console
        self._has_result = False

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frames; see `newest_frames`."""
        try:
            yield from newest_frames(self._source, self._stop)
        except CorruptVideoError as error:
            self._end(error)

    async def analyze_frame(self, name: str, image: U8) -> ImageResult | None:
        """Analyze a frame. An error of this frame alone is printed, and the frame left out."""
        try:
            result = await self._analyzer.analyze_frame(name, image)
        except ServiceError as error:
            self._console.print(f"{name}: {error}", markup=False)
            return None
        except RemoteError as error:
            self._end(error)
            return None
        self._has_result = True
        return result

    def _end(self, error: CorruptVideoError | RemoteError) -> None:
        if not self._has_result:
            raise error
        self.error = self.error or error
        self._stop.set()
