"""A portrait of each track, for the report."""

import io

from PIL import Image

from analysis.document import Face
from engines.types import U8
from offline.video.people import Person
from offline.video.tracking import Track

SIDE = 112
MARGIN = 0.1  # on each side of the face, relative to its longer side
GROWTH = 1.2


class Portraits:
    """The face of the best quality of each track, as JPEG of `SIDE` x `SIDE` pixels.

    A video may have thousands of tracks, so the portraits are kept compressed.
    """

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, float, bytes]] = {}

    def add(self, track: Track, face: Face, image: U8) -> None:
        """Keep the face's portrait if it is better than the last one.

        It is better if its quality is, to one digit, or if that is equal and its area is `GROWTH`
        times as large.
        """
        x1, y1, x2, y2 = face.box
        quality, area = round(face.quality, 1), (x2 - x1) * (y2 - y1)
        last = self._best.get(track.number)
        if last is None or (quality, area) > (last[0], GROWTH * last[1]):
            self._best[track.number] = quality, area, _portrait(image, face)

    def of(self, person: Person) -> bytes:
        """Return the portrait of the person's best face."""
        return max(self._best[track.number] for track in person.tracks)[-1]


def _portrait(image: U8, face: Face) -> bytes:
    x1, y1, x2, y2 = face.box
    half = (0.5 + MARGIN) * max(x2 - x1, y2 - y1)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    box = (x - half, y - half, x + half, y + half)
    cut = Image.fromarray(image).transform(
        (SIDE, SIDE), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
    )
    buffer = io.BytesIO()
    cut.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
