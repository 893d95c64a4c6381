"""Faces without labels: cut from photographs; only teachers give their targets."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is in the training environment only")

from analysis.crops import fer_crop
from analysis.evaluation.accuracy import softmax
from analysis.evaluation.fer2013 import Split
from tests.training.emotion.faces import ROOT, TINY
from training.emotion.checkpoint import load_run
from training.emotion.distil import Teachers
from training.emotion.examples import load_frames
from training.emotion.frames import cut_frames
from training.emotion.networks import fer48
from training.emotion.predict import predict
from training.emotion.train import Run, train
from training.photographs import ARCHIVES, middle_faces

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SCENE = ROOT / "engines/probe/scene.jpg"
ONE = replace(TINY, epochs=1, batch=7)
FACES = np.random.default_rng(0).integers(0, 256, (7, 48, 48)).astype(np.uint8)


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two archives of a photograph with faces and a picture without any."""
    folder = tmp_path_factory.mktemp("archives")
    scene = cv2.imread(str(SCENE))
    assert scene is not None
    pictures = {"A_0001.jpg": scene, "B_0001.jpg": np.zeros_like(scene)}
    for archive in ARCHIVES:
        with zipfile.ZipFile(folder / archive, "w") as file:
            for name, picture in pictures.items():
                file.writestr(f"faces/{name}", cv2.imencode(".jpg", picture)[1].tobytes())
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("teacher")
    fer48(8).save_weights(run / "last.weights.h5")
    ONE.save(run / "recipe.json")
    return run


def test_the_face_of_each_photograph_is_cut_as_the_service_cuts_it(
    archives: Path, tmp_path: Path
) -> None:
    assert cut_frames(archives, tmp_path / "made" / "frames.npz") == 2
    found = list(middle_faces(archives))
    assert [each.name for each in found] == ["A_0001", "_A_0001"]
    cut = [fer_crop(each.image, each.box) for each in found]
    np.testing.assert_array_equal(load_frames(tmp_path / "made" / "frames.npz"), cut)


def test_teachers_have_the_rest_of_each_target(teacher: Path) -> None:
    teachers = Teachers([teacher], 0.6)
    predicted = softmax(predict(load_run(teacher, "last"), FACES))
    label = np.zeros((7, 7), np.float32)
    label[0, 3], label[1, 3] = 1.0, 0.5  # labelled; blended with an unlabelled face
    targets = teachers.targets(FACES, label)
    np.testing.assert_allclose(targets[0], 0.4 * label[0] + 0.6 * predicted[0], atol=1e-5)
    np.testing.assert_allclose(targets[1], 0.4 * label[1] + 0.8 * predicted[1], atol=1e-5)
    np.testing.assert_allclose(targets[2:], predicted[2:], atol=1e-5)


def test_labelled_and_unlabelled_faces_are_trained_together(teacher: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "frames.npz", x=FACES)
    split = Split(FACES, np.arange(7), None)
    recipe = replace(ONE, teachers=str(teacher), unlabelled=str(tmp_path / "frames.npz"))
    run = Run(recipe, split, split, tmp_path)
    assert len(run.batches) == 2
    assert sorted(run.batches.targets.sum(1).round(4)) == [0] * 7 + [1] * 7
    run.epoch()
    assert run.share == 1


def test_unlabelled_faces_without_teachers_are_rejected(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=FACES, y_train=range(7), x_public=FACES, y_public=range(7))
    np.savez(tmp_path / "frames.npz", x=FACES)
    recipe = replace(ONE, unlabelled=str(tmp_path / "frames.npz"))
    with pytest.raises(ValueError, match="add --teachers RUN"):
        train(recipe, tmp_path / "d.npz", tmp_path / "run")
