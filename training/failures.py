"""Draw where the networks of the service fail: two portraits, degraded step by step.

`python -m training.failures` writes `failures-detector.png`, `failures-emotion.png` and, if an
embedder is built, `failures-embedder.png` into `docs/images`, with the plans of `emotions build`.
The portraits are in the public domain (Eileen Collins by NASA, Grace Hopper by the United States
Navy); the textures are part of scikit-image (CC0).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from analysis.analyze import analyze
from analysis.crops import fer_crop
from analysis.networks import Networks, open_networks
from analysis.types import Analysis, Input, Options
from engines.catalog import SAME_PERSON
from engines.types import U8, Array
from service.factory import FoundModels, find_models, plans_of
from service.settings import Settings
from training.geometry import arcface_crop
from training.probe import ASTRONAUT, HOPPER

IMAGES = Path(__file__).parents[1] / "docs" / "images"
TEXTURES = ("coins", "grass", "gravel", "brick", "chelsea")
SIDE, CELL, CAPTION, MARGIN = 320, 96, 15, 64
RED, GREEN = (200, 30, 30), (20, 130, 60)
Change = Callable[[U8, float], U8]
Points = Sequence[Sequence[float]]
NOWHERE = np.zeros((5, 2))


class Portrait(NamedTuple):
    """A square photograph, RGB (320, 320, 3), and the box and landmarks of its face in it."""

    image: U8
    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64] = NOWHERE


class Cell(NamedTuple):
    """A picture of a sheet, the result of a network as its caption, and whether it is right."""

    image: Image.Image
    caption: str
    right: bool


def portraits(astronaut: Points = ASTRONAUT, hopper: Points = HOPPER) -> list[Portrait]:
    """Return both faces, in squares that their heads fill, with these landmarks."""
    folder = Path(skimage.__file__).parent / "data"
    admiral = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return [
        _square(folder / "astronaut.png", (98, 0, 256), (178, 59, 273, 177), astronaut),
        _square(admiral, (66, 80, 380), (190, 140, 325, 328), hopper),
    ]


def _square(
    path: Path, cut: tuple[int, int, int], box: tuple[int, ...], points: Points
) -> Portrait:
    """Crop a square (left, top, side); `box` and `points` are in pixels of the photograph."""
    left, top, side = cut
    part = Image.open(path).convert("RGB").crop((left, top, left + side, top + side))
    scale = SIDE / side
    x1, y1, x2, y2 = ((v - o) * scale for v, o in zip(box, (left, top) * 2, strict=True))
    landmarks = (np.array(points) - (left, top)) * scale
    return Portrait(np.asarray(part.resize((SIDE, SIDE))), (x1, y1, x2, y2), landmarks)


def dark(image: U8, share: float) -> U8:
    """Keep a share of the light, and add the noise of a camera."""
    noise = np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(image * share + noise, 0, 255).astype(np.uint8)


def blurred(image: U8, sigma: float) -> U8:
    """Blur; sigma is in pixels, and a head fills 320 of them."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def turned(image: U8, degrees: float) -> U8:
    """Turn around the middle, with a repeated border."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1)
    size = (SIDE, SIDE)
    return np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE))


def tiny(image: U8, pixels: float) -> U8:
    """Shrink the picture to so many pixels, and enlarge it again."""
    small = cv2.resize(image, (int(pixels),) * 2, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def covered(image: U8, share: float) -> U8:
    """Cover a share of the height from below in grey, like a hand, a mask or a glass."""
    result = image.copy()
    result[round(SIDE * (1 - share)) :] = 128
    return result


LADDERS: dict[str, tuple[Change, tuple[float, ...]]] = {
    "dark": (dark, (0.25, 0.1, 0.04)),
    "blurred": (blurred, (6, 12, 20)),
    "turned": (turned, (30, 60, 180)),
    "tiny": (tiny, (32, 20, 12)),
    "covered": (covered, (0.3, 0.45, 0.6)),
}


def main() -> None:
    """Write the sheets."""
    draw(Settings(), IMAGES)


def draw(settings: Settings, folder: Path) -> None:
    """Write the sheets into `folder`; the embedder's only if one is built."""
    with serving(settings) as (models, networks):
        same_person = models.embedder.spec.same_person if models.embedder else SAME_PERSON
        labels = models.emotion.spec.labels
        sheets = {
            "failures-emotion.png": [
                (name, _judged([_read(networks, labels, cell) for cell in row]))
                for name, row in ladders()
            ],
            "failures-embedder.png": [
                (name, _compared([_embed(networks, cell) for cell in row], same_person))
                for name, row in ladders()
                if networks.embedder is not None
            ],
            "failures-detector.png": [
                *[(name, [_find(networks, c) for c in row]) for name, row in ladders()],
                ("no face", [_find(networks, c) for c in textures()]),
            ],
        }
    for name, rows in ((name, rows) for name, rows in sheets.items() if rows):
        sheet(rows).quantize(256).save(folder / name, optimize=True)


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[FoundModels, Networks]]:
    """Open the networks of the service in this process."""
    models = find_models(settings)
    with open_networks(models.engine, plans_of(settings, models)) as networks:
        yield models, networks


def analyzed(networks: Networks, image: U8) -> Analysis:
    """Analyse upright RGB pixels like the service.

    Raises:
        ServiceError: an error of the image.
    """
    (result,) = analyze([Input(image, Options())], networks)
    if not isinstance(result.outcome, Analysis):
        raise result.outcome
    return result.outcome


def ladders() -> Iterator[tuple[str, list[Portrait]]]:
    """Yield a row per change: both portraits, unchanged and with growing strength."""
    for name, (change, steps) in LADDERS.items():
        row = []
        for portrait in portraits():
            row.append(portrait)
            row += [portrait._replace(image=change(portrait.image, step)) for step in steps]
        yield name, row


def textures() -> list[Portrait]:
    """Return pictures without a human face."""
    folder = Path(skimage.__file__).parent / "data"
    pictures = [Image.open(folder / f"{name}.png").convert("RGB") for name in TEXTURES]
    return [Portrait(np.asarray(p.resize((512, 512))), (0, 0, 0, 0)) for p in pictures]


def _find(networks: Networks, portrait: Portrait) -> Cell:
    """Draw the boxes and scores of the detector; it is right if it finds the face only."""
    result = analyzed(networks, portrait.image)
    image, wanted = Image.fromarray(portrait.image), int(any(portrait.box))
    for box in result.faces.boxes:
        ImageDraw.Draw(image).rectangle(tuple(box), outline=(255, 220, 0), width=5)
    scores = ", ".join(f"{score:.2f}" for score in result.faces.scores[:3])
    return Cell(image, scores or "nothing", len(result.faces.scores) == wanted)


def _read(networks: Networks, labels: Sequence[str], portrait: Portrait) -> Cell:
    """Classify the crop of the face."""
    crop = fer_crop(portrait.image, np.array(portrait.box))
    (row,) = networks.emotion.output(crop[None])
    label = labels[int(row.argmax())]
    return Cell(Image.fromarray(crop), f"{label} {row.max():.2f}", True)


def _embed(networks: Networks, portrait: Portrait) -> tuple[U8, Array]:
    """Return the crop of the face by the landmarks of the portrait, and its embedding.

    Raises `RuntimeError` if no embedder is built.
    """
    if networks.embedder is None:
        raise RuntimeError("no embedder is built; run `emotions build`")
    crop = arcface_crop(portrait.image, portrait.landmarks)
    return crop, networks.embedder.output(crop[None])[0]


def _compared(row: list[tuple[U8, Array]], same_person: float) -> list[Cell]:
    """Caption cells with the cosine to the plain portrait of the same person | of the other."""
    half = len(row) // 2
    cells = []
    for place, (crop, embedding) in enumerate(row):
        own, other = (
            float(embedding @ row[at][1]) for at in ((0, half) if place < half else (half, 0))
        )
        right = own >= same_person > other
        cells.append(Cell(Image.fromarray(crop), f"{own:.2f} | {other:.2f}", right))
    return cells


def _judged(row: list[Cell]) -> list[Cell]:
    """Compare each label with that of the plain portrait, the first of each half row."""
    half = len(row) // 2
    plain = [row[i // half * half].caption.split()[0] for i in range(len(row))]
    return [c._replace(right=c.caption.startswith(p)) for c, p in zip(row, plain, strict=True)]


def sheet(rows: list[tuple[str, list[Cell]]]) -> Image.Image:
    """Draw all rows with names and captions."""
    height, columns = CELL + CAPTION, max(len(row) for _, row in rows)
    page = Image.new("RGB", (MARGIN + columns * CELL, len(rows) * height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for line, (name, row) in enumerate(rows):
        draw.text((4, line * height + CELL // 2), name, "black", font)
        for column, (image, caption, right) in enumerate(row):
            at = MARGIN + column * CELL, line * height
            page.paste(image.convert("RGB").resize((CELL - 2, CELL - 2)), at)
            draw.text((at[0] + 2, at[1] + CELL - 2), caption, GREEN if right else RED, font)
    return page


if __name__ == "__main__":
    main()
