"""Show how the emotion of a face depends on the roll of the head, with and without following it.

`emotions build && python -m training.emotion.turned --data DATA` prints the two tables of the model
card as Markdown: two portraits through the whole service, and faces of FER-2013's public test with
a known box and roll.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage
from PIL import Image

from analysis.crops import FRAME_HEIGHT_SHARE, FRAME_WIDTH_SHARE, fer_crop
from analysis.evaluation.fer2013 import Split, read_split
from analysis.networks import Networks
from engines.types import F32, F64, U8, Array
from service.settings import Settings
from training.errors import reported
from training.serving import analyzed, serving

PORTRAITS = {
    "astronaut": Path(skimage.__file__).parent / "data" / "astronaut.png",
    "Hopper": Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg",
}
PORTRAIT_ANGLES = (*range(-60, 61, 15), 90, 180)
FACE_ANGLES = (0, 15, 20, 30, 45, 60, 90, 180)
# A face of FER-2013 is enlarged this many times, so that its turned pixels lose nothing.
ENLARGED = 3
AT_ONCE = 64
Row = Sequence[str]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m training.emotion.turned", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fer2013.npz")
    parser.add_argument("--every", type=int, default=1, help="read one face of so many")
    given = parser.parse_args()
    with reported(parser), serving(Settings()) as (models, networks):
        labels = models.emotion.spec.labels
        print(table(("turned by", *PORTRAITS), portrait_rows(networks, labels)))
        split = read_split(given.data / "fer2013.npz", "public")
        faces = Split(split.faces[:: given.every], split.labels[:: given.every])
        rows = face_rows(networks.emotion.output, faces)
        print(f"\n{len(faces)} faces\n")
        print(table(("turned by", "roll ignored", "roll followed"), rows))


def table(header: Row, rows: Iterator[Row]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def portrait_rows(networks: Networks, labels: Sequence[str]) -> Iterator[Row]:
    """Yield a row per angle: for each portrait the emotion without and with following the roll."""
    for angle in PORTRAIT_ANGLES:
        emotions = (_emotions(networks, labels, path, angle) for path in PORTRAITS.values())
        yield f"{angle}°", *emotions


def _emotions(networks: Networks, labels: Sequence[str], path: Path, angle: int) -> str:
    image = turned(Image.open(path), angle)
    result = analyzed(networks, image)
    if not len(result.faces.scores):
        return "not found"
    surest = result.faces.scores.argmax()
    ignored = networks.emotion.output(fer_crop(image, result.faces.boxes[surest])[None])[0]
    both = ignored, result.scores[surest]
    return " → ".join(f"{labels[int(row.argmax())]} {row.max():.2f}" for row in both)


def turned(photograph: Image.Image, angle: float) -> U8:
    """Turn a photograph clockwise by `angle` degrees, on grey; return RGB pixels."""
    upright = photograph.convert("RGB")
    grey = (127, 127, 127)
    return np.asarray(upright.rotate(-angle, Image.Resampling.BICUBIC, True, fillcolor=grey))


def face_rows(classify: Callable[[U8], Array], faces: Split) -> Iterator[Row]:
    """Yield a row per angle: the accuracy without and with following the roll.

    Every second face is turned the other way.
    """
    for angle in FACE_ANGLES:
        rolls = [angle if number % 2 else -angle for number in range(len(faces))]
        found = [pasted(face, roll) for face, roll in zip(faces.faces, rolls, strict=True)]
        ignored = [fer_crop(*each) for each in found]
        followed = [fer_crop(*each, roll) for each, roll in zip(found, rolls, strict=True)]
        shares = (_accuracy(classify, crops, faces) for crops in (ignored, followed))
        yield f"{angle}°", *(f"{share:.1%}" for share in shares)


def pasted(face: U8, roll: float) -> tuple[U8, F64]:
    """Paste a face (48, 48), turned clockwise, into a plain picture; return it and the face's box.

    The box (4,) is that of the turned ellipse that fills the box of the upright face.
    """
    side = ENLARGED * len(face)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    centre = (side - 1) / 2, (side - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D(centre, -roll, 1), np.float64)
    matrix[:, 2] += side / 2
    plain = np.full((2 * side, 2 * side), round(float(face.mean())), np.uint8)
    border = cv2.BORDER_TRANSPARENT
    picture = cv2.warpAffine(large, matrix, plain.shape, dst=plain, borderMode=border)
    half = ellipse_box(FRAME_WIDTH_SHARE * side / 2, FRAME_HEIGHT_SHARE * side / 2, roll)
    rgb = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return rgb, np.concatenate([side - half, side + half])


def ellipse_box(a: float, b: float, roll: float) -> F64:
    """Return half the width and height of the box of a turned ellipse with half axes `a`, `b`."""
    cos, sin = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return np.array([math.hypot(a * cos, b * sin), math.hypot(a * sin, b * cos)])


def _accuracy(classify: Callable[[U8], Array], crops: Sequence[U8], faces: Split) -> float:
    batches = (crops[start : start + AT_ONCE] for start in range(0, len(crops), AT_ONCE))
    scores: F32 = np.concatenate([classify(np.stack(batch)) for batch in batches])
    return float((scores.argmax(axis=1) == faces.labels).mean())


if __name__ == "__main__":
    main()
