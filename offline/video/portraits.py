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
    """The largest face of each track, as JPEG of `SIDE` x `SIDE` pixels.

    A video may have thousands of tracks, so the portraits are kept compressed.
    """

    def __init__(self) -> None:
        self._best: dict[int, tuple[float, bytes]] = {}

    def add(self, track: Track, face: Face, image: U8) -> None:
        """Keep the face's portrait if its area is `GROWTH` times that of the last one."""
        x1, y1, x2, y2 = face.box
        area = (x2 - x1) * (y2 - y1)
        if area > GROWTH * self._best.get(track.number, (0.0, b""))[0]:
            self._best[track.number] = area, _portrait(image, face)

    def of(self, person: Person) -> bytes:
        """Return the portrait of the person's largest face."""
        found = (self._best[track.number] for track in person.tracks)
        return max(found, key=lambda area_and_portrait: area_and_portrait[0])[1]


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
