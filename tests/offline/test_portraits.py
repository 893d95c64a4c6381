"""The portrait of a person is the face of the best quality."""

import io

import numpy as np
import pytest
from PIL import Image

from analysis.document import Face
from analysis.evaluation.fer2013 import LABELS
from offline.video.people import Person
from offline.video.portraits import Portraits
from offline.video.tracking import Track
from tests.offline.helpers import face

SMALL, LARGE = 40.0, 100.0
# A large face, and one that is hardly larger, whose portrait is not worth its time.
SIMILAR = 105.0
Seen = tuple[float, float]


def portrait(person: Person, seen: list[list[Seen]]) -> int:
    """Return which of the faces of all tracks is shown, from 1; each is quality and side."""
    portraits, number = Portraits(), 0
    for faces in seen:
        track = Track(len(person.tracks) + 1, face(), 0.0, LABELS)
        person.tracks.append(track)
        for quality, side in faces:
            number += 1
            image = np.full((200, 200, 3), 20 * number, np.uint8)
            portraits.add(track, moved(face(quality=quality, side=side)), image)
    with Image.open(io.BytesIO(portraits.of(person))) as picture:
        return round(float(np.asarray(picture).mean()) / 20)


def moved(one: Face) -> Face:
    return one.model_copy(update={"box": [value + 40 for value in one.box]})


@pytest.mark.parametrize(
    ("seen", "shown"),
    [
        ([[(0.9, SMALL), (0.3, LARGE)]], 1),
        ([[(0.3, LARGE), (0.9, SMALL)]], 2),
        ([[(0.9, SMALL), (0.9, LARGE)]], 2),
        ([[(0.92, LARGE), (0.94, SMALL)]], 1),
        ([[(0.9, LARGE), (0.9, SIMILAR)]], 1),
        ([[(0.0, SMALL)]], 1),
        ([[(0.3, LARGE)], [(0.9, SMALL)], [(0.5, LARGE)]], 2),
    ],
)
def test_the_portrait_is_the_clearest_face_and_then_the_largest(
    seen: list[list[Seen]], shown: int
) -> None:
    assert portrait(Person(1), seen) == shown
