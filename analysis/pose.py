"""The pose of a head from its five landmarks."""

import numpy as np

from engines.types import F32, F64, Array

# The landmarks of a frontal head as x to the right, y down and z towards the viewer, in distances
# of the middle of the eyes from the middle of the mouth. x and y are medians over annotated frontal
# faces. z of the nose is from A. Gee, R. Cipolla, "Determining the gaze of faces in images", Image
# and Vision Computing 12(10), 1994.
MODEL: F64 = np.array(
    [[-0.48, -0.5, 0], [0.48, -0.5, 0], [0, 0.08, 0.6], [-0.4, 0.5, 0], [0.4, 0.5, 0]]
)
# The linear map from five coordinates to the least-squares axis x, y, z of the model, (3, 5).
AXIS: F64 = np.linalg.pinv(np.hstack([MODEL, np.ones((5, 1))]))[:3]
# Limit for coordinates in pixels. No image is that large, and squares of it are finite.
FAR = 1e9


def rolls(landmarks: Array) -> F32:
    """Return by how many degrees each face is turned clockwise in the image: (K,), -180 to 180.

    landmarks: (K, 5, 2) in pixels, in the order of `analysis.types.Detections`. The roll is the
    direction from the middle of the mouth to the middle of the eyes. It is 0 if both coincide.
    """
    return np.asarray(np.degrees(_rolls(_relative(landmarks))), np.float32)


def poses(landmarks: Array) -> F32:
    """Return yaw, pitch and roll of each face in degrees: (K, 3), finite.

    landmarks: (K, 5, 2) in pixels, in the order of `analysis.types.Detections`. Yaw is positive if
    the face looks to the right of the image, pitch if it looks up, and roll if the head is turned
    clockwise. Yaw and pitch are -90 to 90, as seen when the roll is undone.

    The method is POS (pose from orthography and scaling): D. F. DeMenthon, L. S. Davis,
    "Model-based object pose in 25 lines of code", International Journal of Computer Vision 15,
    1995. A linear regression on `MODEL` gives the first two rows of the scaled rotation, whose
    angles are taken in the order yaw, pitch, roll.
    """
    points = _relative(landmarks)
    roll = _rolls(points)
    # Python's sum adds whole columns, so the number of faces does not change the bits of a face.
    rows = np.asarray(sum(AXIS[:, n] * points[:, n, :, None] for n in range(5)))
    x_row, y_row = rows.swapaxes(0, 1)
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    # Each row has one column per axis of the model.
    across, down = (cos * x_row + sin * y_row).T, (cos * y_row - sin * x_row).T
    yaw = np.arctan2(across[2], np.abs(across[0]))
    rise = np.sin(yaw) * down[0] - np.cos(yaw) * down[2]
    pitch = np.arctan2(rise, np.abs(down[1]))
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)), np.float32)


def _relative(landmarks: Array) -> F64:
    """Return the points relative to the first one of each face."""
    # Unlike `clip`, these also replace NaN.
    points = np.asarray(np.fmin(np.fmax(landmarks, -FAR), FAR), np.float64)
    return np.asarray(points - points[:, :1])


def _rolls(points: F64) -> F64:
    """Return the rolls in radians, (K,)."""
    eyes, mouth = points[:, 0] + points[:, 1], points[:, 3] + points[:, 4]
    return np.asarray(np.arctan2(eyes[:, 0] - mouth[:, 0], mouth[:, 1] - eyes[:, 1]))
