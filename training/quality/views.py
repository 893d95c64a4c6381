"""Degraded and turned views of a photograph with one face in the middle, which stays there."""

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from engines.types import U8, Array
from training.detector.degrade import coarse, jpeg, motion, soft, tone
from training.detector.paste import FACE_CENTRE, FACE_SIZE
from training.detector.views import perspective, turn

# (photograph, strength, random numbers) -> view; pictures are (S, S, 3) uint8 BGR.
Change = Callable[[U8, float, np.random.Generator], U8]


class Kind(NamedTuple):
    """A change and its strengths: `low` to `high` for random views, `steps` for the table."""

    change: Change
    low: float = 0
    high: float = 0
    unit: str = ""
    steps: tuple[float, ...] = ()

    def draw(self, rng: np.random.Generator) -> float:
        """Return a random strength, on a logarithmic scale if all are positive."""
        if self.low > 0:
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


def framed(photo: U8, size: float, rng: np.random.Generator) -> U8:
    """Enlarge by `size`, move a little, and compress slightly: a clear view."""
    matrix = np.array(cv2.getRotationMatrix2D(_middle(photo), 0, size), np.float64)
    matrix[:, 2] += rng.uniform(-0.04, 0.04, 2) * len(photo)
    return jpeg(_warped(photo, matrix), rng, 80, 95)


def turned(photo: U8, degrees: float, rng: np.random.Generator) -> U8:  # noqa: ARG001
    """Turn the head to one side."""
    return turn(photo, degrees)


def slanted(photo: U8, strength: float, rng: np.random.Generator) -> U8:  # noqa: ARG001
    """View the photograph from the side, from above or from below."""
    view = perspective(photo, rng)
    moved = (np.array(FACE_CENTRE) - view.outline.mean(axis=0)) * len(photo)
    return _warped(view.image, np.hstack([np.eye(2), moved[:, None]]))


def rolled(photo: U8, degrees: float, rng: np.random.Generator) -> U8:  # noqa: ARG001
    """Turn the photograph around the face, clockwise."""
    return _warped(photo, np.asarray(cv2.getRotationMatrix2D(_middle(photo), -degrees, 1)))


def unfocused(photo: U8, share: float, rng: np.random.Generator) -> U8:
    """Blur with a deviation of `share` percent of the face's height."""
    sigma = share / 100 * FACE_SIZE[1] * len(photo)
    return soft(photo, rng, sigma, sigma)


def moving(photo: U8, share: float, rng: np.random.Generator) -> U8:
    """Blur along a line of `share` percent of the face's height."""
    length = max(2, round(share / 100 * FACE_SIZE[1] * len(photo)))
    return motion(photo, rng, length, length + 1)


def dim(photo: U8, percent: float, rng: np.random.Generator) -> U8:
    """Keep `percent` of the light, and add the noise of a sensor."""
    grain = rng.standard_normal(photo.shape, np.float32) * 3
    light = photo.astype(np.float32) * np.float32(percent / 100)
    return np.asarray(np.clip(light + grain, 0, 255), np.uint8)


def toned(photo: U8, strength: float, rng: np.random.Generator) -> U8:
    """Change gamma, gain and tint."""
    return tone(photo, rng, strength)


def grainy(photo: U8, levels: float, rng: np.random.Generator) -> U8:
    """Add noise with a deviation of `levels` of 255."""
    grain = rng.standard_normal(photo.shape, np.float32) * np.float32(levels)
    return np.asarray(np.clip(photo + grain, 0, 255), np.uint8)


def small(photo: U8, pixels: float, rng: np.random.Generator) -> U8:  # noqa: ARG001
    """Shrink the photograph until its face is `pixels` high."""
    side = min(len(photo), max(4, round(pixels / FACE_SIZE[1])))
    return np.asarray(cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def enlarged(photo: U8, pixels: float, rng: np.random.Generator) -> U8:
    """Shrink until the face is `pixels` high, and enlarge again."""
    share = min(1.0, pixels / FACE_SIZE[1] / len(photo))
    return coarse(photo, rng, share, share)


def compressed(photo: U8, quality: float, rng: np.random.Generator) -> U8:
    """Compress as JPEG."""
    return jpeg(photo, rng, round(quality), round(quality))


# The order is that of a camera: the head, the lens, the light, the sensor, the file.
KINDS: dict[str, Kind] = {
    "clear": Kind(framed, 0.85, 1.1),
    "turned aside": Kind(turned, -55, 55, "degrees", (0, 15, 30, 45, 60)),
    "slanted": Kind(slanted),
    "rolled": Kind(rolled, -60, 60, "degrees", (0, 15, 30, 45, 60, 90, 180)),
    "out of focus": Kind(unfocused, 0.5, 8, "% of the face", (1, 2, 3, 4, 6, 8)),
    "in motion": Kind(moving, 4, 35, "% of the face", (5, 10, 15, 20, 30)),
    "dim": Kind(dim, 3, 60, "% of the light", (50, 25, 12, 6, 3)),
    "toned": Kind(toned, 1, 3),
    "noisy": Kind(grainy, 5, 60, "levels", (10, 20, 40, 60)),
    "small": Kind(small, 10, 112, "pixels", (96, 64, 48, 32, 24, 16, 12)),
    "enlarged": Kind(enlarged, 10, 80, "pixels", (64, 48, 32, 24, 16, 12)),
    "compressed": Kind(compressed, 3, 40, "of 100", (40, 20, 10, 5)),
}
MIXED = "several"
# Each kind once, and several at once as often as four kinds.
ROUND = (*KINDS, MIXED, MIXED, MIXED, MIXED)


def random_view(photo: U8, kind: str, rng: np.random.Generator) -> U8:
    """Return a view of a photograph; `several` has two or three kinds at once."""
    chosen = _several(rng) if kind == MIXED else [kind]
    for each in chosen:
        photo = KINDS[each].change(photo, KINDS[each].draw(rng), rng)
    return photo


def _several(rng: np.random.Generator) -> list[str]:
    kinds = list(KINDS)[1:]
    places = rng.choice(len(kinds), rng.integers(2, 4), replace=False)
    return [kinds[place] for place in sorted(places)]


def _middle(photo: U8) -> tuple[float, float]:
    x, y = FACE_CENTRE
    return x * len(photo) - 0.5, y * len(photo) - 0.5


def _warped(photo: U8, matrix: Array) -> U8:
    warped = cv2.warpAffine(photo, matrix, photo.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)
