"""Rectangles of a picture, and where there is room for another one."""

from collections.abc import Iterable
from typing import NamedTuple


class Area(NamedTuple):
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def corners(self) -> list[float]:
        """The rectangle as x1, y1, x2, y2."""
        return [self.x, self.y, self.right, self.bottom]

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of the lower edge."""
        return self.y + self.height

    def overlaps(self, other: "Area") -> bool:
        """Whether the two share a point."""
        beside = self.x >= other.right or other.x >= self.right
        return not (beside or self.y >= other.bottom or other.y >= self.bottom)

    def fits(self, width: float, height: float) -> bool:
        """Whether it lies inside a picture of this size."""
        return self.x >= 0 and self.y >= 0 and self.right <= width and self.bottom <= height


class Canvas:
    """The areas of a picture that are in use; `size` is its width and height."""

    def __init__(self, size: tuple[int, int], used: Iterable[Area]) -> None:
        self.size = size
        self._used = list(used)

    def place(self, candidates: Iterable[Area], fallback: Area | None) -> Area | None:
        """Reserve and return the first candidate that is free, or the fallback."""
        area = next(filter(self._is_free, candidates), fallback)
        if area is not None:
            self._used.append(area)
        return area

    def _is_free(self, area: Area) -> bool:
        return area.fits(*self.size) and not any(area.overlaps(other) for other in self._used)
