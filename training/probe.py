"""Make `engines/probe/`: the faces on which every plan is compared with the reference.

Both photographs are in the public domain: Eileen Collins by NASA (from scikit-image), Grace Hopper
by the United States Navy (from matplotlib). Run as `python -m training.probe`.
"""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage

from analysis.detection import PADDING
from engines.probe_inputs import PROBE
from engines.types import U8
from training.geometry import arcface_crop

SIDE = 640
# Landmarks of the two faces in their photographs (x y: eyes, nose, mouth corners).
ASTRONAUT = [[205, 110], [245, 107], [228, 131], [210, 148], [247, 146]]
HOPPER = [[215, 210], [294, 210], [254, 260], [222, 300], [291, 300]]


def main() -> None:
    """Write the scene and the strip of aligned faces."""
    astronaut = _read(Path(skimage.__file__).parent / "data" / "astronaut.png")
    hopper = _read(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    PROBE.mkdir(exist_ok=True)
    _write("scene.jpg", _scene(astronaut, hopper))
    pairs = ((astronaut, ASTRONAUT), (hopper, HOPPER))
    _write("faces.png", np.concatenate([arcface_crop(i, np.array(p)) for i, p in pairs]))


def _read(path: Path) -> U8:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)


def _scene(*photographs: U8) -> U8:
    """Return two photographs side by side: the left one whole, the right one cut at the bottom."""
    scene = np.full((SIDE, SIDE, 3), PADDING, np.uint8)
    for index, photograph in enumerate(photographs):
        height = round(photograph.shape[0] * SIDE / 2 / photograph.shape[1])
        scene[:height, index * SIDE // 2 :][:, : SIDE // 2] = cv2.resize(
            photograph, (SIDE // 2, height), interpolation=cv2.INTER_AREA
        )
    return scene


def _write(name: str, rgb: U8) -> None:
    cv2.imwrite(str(PROBE / name), rgb[:, :, ::-1])


if __name__ == "__main__":
    main()
