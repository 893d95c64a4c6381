"""`python -m training.quality`: from photographs to numbers, a card and a diagram."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from analysis.quality import MEASURES, load
from engines.types import U8
from tests.photographs import ASTRONAUT_BOX, ASTRONAUT_FILE, HOPPER_FILE, encode, read
from training.detector.paste import FACE_CENTRE, FACE_SIZE
from training.quality.__main__ import BEGIN, main
from training.quality.people import names
from training.quality.views import KINDS, MIXED, random_view

HOPPER_BOX = (190.0, 140.0, 325.0, 328.0)
SIDE = 250


def framed(path: Path, box: tuple[float, ...]) -> U8:
    """A portrait as in the archive: 250 pixels square, with the face at the nominal place."""
    scale = SIDE * FACE_SIZE[1] / (box[3] - box[1])
    middle = np.array([box[0] + box[2], box[1] + box[3]]) / 2
    shift = np.array(FACE_CENTRE) * SIDE - scale * middle
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return np.asarray(
        cv2.warpAffine(read(path), matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive of six photographs, the last of them to evaluate on."""
    folder = tmp_path_factory.mktemp("data")
    portraits = [framed(ASTRONAUT_FILE, ASTRONAUT_BOX), framed(HOPPER_FILE, HOPPER_BOX)]
    with zipfile.ZipFile(folder / "faces_unlabelled.zip", "w") as archive:
        for index in range(6):
            picture = encode(portraits[index % 2], "JPEG", quality=90)
            archive.writestr(f"faces/Person_{'ABCDEF'[index]}_0001.jpg", picture)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, plans: Path, *arguments: str) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    monkeypatch.setattr("sys.argv", ["training.quality", *arguments])
    main()


def test_it_fits_and_evaluates(
    data: Path, plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, card, picture = (tmp_path / name for name in ("m.toml", "card.md", "diagram.png"))
    given = ("--data", str(data), "--photographs", "5", "--views", "8")
    run(monkeypatch, plans, "fit", *given, "--out", str(model))
    assert tuple(load(model).terms) == MEASURES
    card.write_text(f"# card\n\n{BEGIN}\nold figures\n<!-- /figures -->\n\nThe end.\n")
    out = ("--stepped", "1", "--model", str(model), "--card", str(card), "--picture", str(picture))
    run(monkeypatch, plans, "evaluate", *given, *out)
    text = card.read_text()
    assert "old figures" not in text
    assert text.startswith("# card")
    assert text.endswith("The end.\n")
    assert all(name in text for name, kind in KINDS.items() if kind.steps)
    assert cv2.imread(str(picture)) is not None


def test_nobody_is_both_fitted_and_evaluated_on(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces_unlabelled.zip", "w") as archive:
        for name in [*(f"A_{i:04}" for i in range(8)), "B_Smith_0001", "B_Smith_0002", "C_0001"]:
            archive.writestr(f"faces/{name}.jpg", b"")
    fit, held_out = names(tmp_path)
    assert fit[-1] == "faces/B_Smith_0002.jpg"
    assert held_out == ["faces/C_0001.jpg"]
    with zipfile.ZipFile(tmp_path / "faces_unlabelled.zip", "a") as archive:
        archive.writestr("faces/C_0002.jpg", b"")
    fit, held_out = names(tmp_path)
    assert fit[-1] == "faces/C_0001.jpg"
    assert held_out == []


@pytest.mark.parametrize("kind", [*KINDS, MIXED])
def test_a_view_is_a_picture_and_depends_on_its_seed_alone(kind: str) -> None:
    photo = framed(ASTRONAUT_FILE, ASTRONAUT_BOX)
    one, other = (random_view(photo, kind, np.random.default_rng(3)) for _ in range(2))
    assert one.dtype == np.uint8
    assert one.shape[0] == one.shape[1] <= SIDE
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, photo)


@pytest.mark.parametrize(("kind", "step"), [(k, s) for k, v in KINDS.items() for s in v.steps])
def test_every_step_of_a_change_gives_a_square_picture(kind: str, step: float) -> None:
    photo = framed(HOPPER_FILE, HOPPER_BOX)
    view = KINDS[kind].change(photo, step, np.random.default_rng(0))
    assert view.shape[0] == view.shape[1]
    assert view.shape[2] == 3
