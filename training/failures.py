"""Draw where the networks of the service fail: two portraits, degraded step by step.

`python -m training.failures` writes `failures-detector.png`, `failures-emotion.png` and, if an
embedder is built, `failures-embedder.png` into `docs/images`, with the plans of `emotions build`.
`training.ladders` has the portraits and the changes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from analysis.crops import fer_crop
from analysis.networks import Networks
from engines.catalog import SAME_PERSON
from engines.types import U8, Array
from service.settings import Settings
from training.geometry import arcface_crop
from training.ladders import SEEN, Portrait, ladders, textures
from training.serving import analyzed, serving

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CELL, CAPTION, MARGIN = 96, 15, 64  # pixels
RED, GREEN = (200, 30, 30), (20, 130, 60)


class Cell(NamedTuple):
    """A picture of a sheet, the result of a network as its caption, and whether it is right."""

    image: Image.Image
    caption: str
    right: bool


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
                *[(name, [_find(networks, c) for c in row]) for name, row in ladders(SEEN)],
                ("no face", [_find(networks, c) for c in textures()]),
            ],
        }
    for name, rows in ((name, rows) for name, rows in sheets.items() if rows):
        sheet(rows).quantize(256).save(folder / name, optimize=True)


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
            page.paste(ImageOps.contain(image.convert("RGB"), (CELL - 2, CELL - 2)), at)
            draw.text((at[0] + 2, at[1] + CELL - 2), caption, GREEN if right else RED, font)
    return page


if __name__ == "__main__":
    main()
