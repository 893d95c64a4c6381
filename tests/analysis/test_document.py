"""The plain data of a result is what the documented models would write, to the byte."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.document import Document, ImageResult, image_document, image_result
from analysis.errors import CorruptImageError
from analysis.types import Analysis, Detections

LABELS = ("angry", "happy", "neutral")
F32 = np.float32


def values(*shape: int, most: float = 1) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(F32, shape, elements=st.floats(0, most, width=32))


@st.composite
def analyses(draw: st.DrawFn) -> Analysis:
    count = draw(st.integers(0, 3))
    pixels = 65_536
    faces = Detections(
        boxes=draw(values(count, 4, most=pixels)),
        landmarks=draw(values(count, 5, 2, most=pixels)) - F32(100),
        scores=draw(values(count)),
    )
    return Analysis(
        640,
        480,
        faces,
        scores=draw(values(count, 3)),
        qualities=draw(values(count)),
        embeddings=draw(st.none() | values(count, 4)),
        turned=draw(st.sampled_from([0, 90, 180, 270])),
    )


def same(document: Document) -> None:
    model = ImageResult.model_validate(document)
    assert msgspec.json.encode(document) == model.model_dump_json().encode()
    assert msgspec.json.encode(model.model_dump()) == msgspec.json.encode(document)


@given(analyses(), st.text(st.characters(exclude_categories=["Cs"])), st.permutations(LABELS))
def test_the_document_of_a_result_is_that_of_the_models(
    found: Analysis, name: str, wanted: list[str]
) -> None:
    same(image_document(name, found, LABELS, tuple(wanted[:2])))


@given(analyses())
def test_the_angles_of_any_landmarks_are_numbers(found: Analysis) -> None:
    for face in image_document("", found, LABELS, LABELS)["faces"]:
        assert list(face["pose"]) == ["yaw", "pitch", "roll"]
        assert all(-180 <= angle <= 180 for angle in face["pose"].values())


def test_the_document_of_an_error_is_that_of_the_models() -> None:
    error = CorruptImageError("the image cannot be decoded: é")
    same(image_document("1", error, LABELS, LABELS))
    assert image_result("1", error, LABELS, LABELS).error is not None


@pytest.mark.parametrize("emotion", range(3))
def test_the_emotion_is_the_best_of_the_wanted_labels(emotion: int) -> None:
    scores = np.full((1, 3), 0.25, F32)
    scores[0, emotion] = 0.5
    faces = Detections(np.zeros((1, 4), F32), np.zeros((1, 5, 2), F32), np.ones(1, F32))
    found = Analysis(1, 1, faces, scores, np.ones(1, F32))
    (face,) = image_result("", found, LABELS, LABELS).faces
    assert face.emotion == LABELS[emotion]
