import csv
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from analysis.landmarks import SIDE, TEMPLATE, eyes, frame  # noqa: E402
from engines.backends.onnxruntime import session  # noqa: E402
from training.descent import Settings  # noqa: E402
from training.detector import annotated  # noqa: E402
from training.detector.annotated import Marked  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402
from training.detector.weights import save_wts  # noqa: E402
from training.geometry import place  # noqa: E402
from training.landmarks import __main__ as cli  # noqa: E402
from training.landmarks.marks import mark_all, marked  # noqa: E402
from training.landmarks.network import Placer, export  # noqa: E402
from training.landmarks.train import Training, fit, loader, stack  # noqa: E402
from training.landmarks.views import guess, shown, view  # noqa: E402

FRONTAL = np.array([[0.38, 0.37], [0.62, 0.37], [0.5, 0.5], [0.4, 0.62], [0.6, 0.62]])
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255))
RUN = Settings(
    out=Path(),
    steps=6,
    minutes=float("inf"),
    batch=8,
    rate=2e-3,
    warmup=2,
    device="cpu",
    workers=0,
    seed=0,
    report=3,
    keep=3,
    decay=0.05,
    average=0.9,
)
Steady = Callable[[np.ndarray], Path]


def drawn(count: int, side: int, size: float, seed: int = 0) -> Marked:
    """Draw grey pictures with five coloured dots as a face, scaled by `size`."""
    rng = np.random.default_rng(seed)
    points = 0.5 + size * (rng.normal(FRONTAL, 0.01, (count, 5, 2)) - 0.5)
    images = np.full((count, side, side, 3), 60, np.uint8)
    for image, face in zip(images, points, strict=True):
        for point, colour in zip(face, COLOURS, strict=True):
            middle = [round(float(value) * side * 16 - 8) for value in point]
            cv2.circle(image, middle, int(side * size * 16 / 20), colour, -1, cv2.LINE_AA, 4)
    return Marked(images, points.astype(np.float32))


@pytest.fixture(name="archive")
def the_archive(tmp_path: Path) -> Path:
    """An archive of nine faces with good points and nine with points that lie too high."""
    numbers = " ".join(str(value) for value in (80 * FRONTAL - 0.5).flat)
    names = [f"{number}_0_0.jpg" for number in range(9)] + [f"_20_{n}_0.jpg" for n in range(9)]
    with zipfile.ZipFile(tmp_path / annotated.ARCHIVE, "w") as archive:
        for name in names:
            image = np.full((80, 80, 3), len(name), np.uint8)
            archive.writestr(f"faces/{name}", cv2.imencode(".jpg", image)[1].tobytes())
        archive.writestr("landmarks.txt", "".join(f"{name} {numbers}\n" for name in names))
    return tmp_path / annotated.ARCHIVE


@pytest.fixture
def steady(tmp_path: Path) -> Steady:
    """Return networks that move all points by constant offsets."""

    def made(moved: np.ndarray) -> Path:
        placer = Placer().eval()
        torch.nn.init.zeros_(placer.last.weight)
        placer.last.bias.data = torch.tensor(moved.reshape(10) / 16, dtype=torch.float32)
        path = tmp_path / f"{abs(hash(moved.tobytes()))}.onnx"
        onnx.save(export(placer), path)
        return path

    return made


def test_every_eighth_is_held_out_and_misplaced_points_are_moved(archive: Path) -> None:
    (well, moved), held_out = annotated.training(archive), annotated.held_out(archive)
    assert (len(well.images), len(moved.images), len(held_out.images)) == (7, 9, 2)
    assert np.allclose(held_out.points, FRONTAL)
    assert np.allclose(moved.points, FRONTAL + np.array([-0.5, 27.6]) / 80)


def test_faces_without_points_are_left_out() -> None:
    some = drawn(3, 40, 1.0)
    some.points[1, 2] = np.nan
    assert np.array_equal(some.known().points, some.points[[0, 2]])


def test_a_view_shows_each_point_at_its_place() -> None:
    rng, marks = np.random.default_rng(0), drawn(5, 200, 1.0)
    seen = set()
    for _ in range(30):
        crop, moved = shown(marks, rng)
        assert crop.shape == view(marks, rng)[0].shape == (SIDE, SIDE, 3)
        for (x, y), colour in zip(TEMPLATE + moved, COLOURS, strict=True):
            if min(x, y) > 2 and max(x, y) < SIDE - 3:
                pixel = crop[round(y), round(x)].astype(int)
                # Mirrored: the left eye becomes the right one.
                near = min(COLOURS, key=lambda c: int(np.abs(pixel - c).sum()))
                seen.add((colour, near))
    assert seen <= {(a, b) for a in COLOURS for b in COLOURS if a == b} | {
        (COLOURS[0], COLOURS[1]),
        (COLOURS[1], COLOURS[0]),
        (COLOURS[3], COLOURS[4]),
        (COLOURS[4], COLOURS[3]),
    }
    assert len(seen) == 9


def test_guesses_have_the_errors_of_a_detector() -> None:
    points, rng = 100 * FRONTAL, np.random.default_rng(0)
    off = [
        np.linalg.norm(guess(points, rng) - points, axis=1).mean() / eyes(points)
        for _ in range(300)
    ]
    assert 0.08 < np.mean(off) < 0.2
    assert max(off) < 0.5


def test_batches_are_a_function_of_their_step() -> None:
    sets, run = (drawn(4, 80, 1.0), drawn(4, 160, 0.8)), replace(RUN, steps=3)
    first, second, third = loader(sets, 0, run)
    assert [len(tensor) for tensor in first] == [8, 8, 8]
    assert not torch.equal(first[0], second[0])
    helped = list(loader(sets, 1, replace(run, workers=1)))
    for one, other in zip((second, third), helped, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def test_a_few_steps_lower_the_error() -> None:
    training, sets = Training(replace(RUN, steps=10**6)), (drawn(4, 80, 1.0),)
    views = stack(sets[0], np.random.default_rng(0), 16)
    errors = [training.advance(views)["error"] for _ in range(12)]
    assert errors[-1] < 0.8 * errors[0]


def test_a_run_writes_curve_and_network_and_resumes(tmp_path: Path) -> None:
    sets, run = (drawn(4, 80, 1.0), drawn(4, 160, 0.8)), replace(RUN, out=tmp_path)
    fit(Training(run), sets, drawn(2, 80, 1.0))
    network, before = tmp_path / "landmarks.onnx", (tmp_path / "landmarks.onnx").read_bytes()
    again = Training(run)
    again.resume()
    fit(again, sets, drawn(2, 80, 1.0))
    assert network.read_bytes() == before  # a finished run keeps its weights
    further = Training(replace(run, steps=9))
    further.resume()
    assert further.step == 6
    fit(further, sets, drawn(2, 80, 1.0))
    rows = list(csv.DictReader((tmp_path / "curve.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["3", "6", "9"]
    assert network.read_bytes() != before


def test_the_export_equals_the_framework(tmp_path: Path) -> None:
    torch.manual_seed(0)
    placer = Placer()
    for _ in range(20):  # batch statistics that fit
        placer(torch.randint(0, 256, (8, SIDE, SIDE, 3), dtype=torch.uint8))
    onnx.save(export(placer.eval()), tmp_path / "a.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.uint8)
    with torch.no_grad():
        wanted = placer(torch.from_numpy(crops)).numpy()
    (moved,) = session(tmp_path / "a.onnx").run(None, {"faces": crops})
    assert np.abs(wanted).max() > 1
    assert moved == pytest.approx(wanted, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(turn=st.floats(-60, 60), size=st.floats(30, 300), x=st.floats(-50, 400))
def test_points_that_stay_on_the_template_are_a_face_like_the_template(
    turn: float, size: float, x: float
) -> None:
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = size / SIDE * TEMPLATE @ rotation.T + [x, 100]
    matrix = frame(points)
    assert points @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(TEMPLATE, abs=1e-6)


def test_offsets_of_a_network_move_points_in_the_image(steady: Steady) -> None:
    face = (2 * TEMPLATE + [50, 40]).astype(np.float32)
    image = np.zeros((300, 300, 3), np.uint8)
    moved = place(steady(np.tile([2.0, -1.0], 5)), image, face[None])
    assert moved[0] == pytest.approx(face + np.array([4, -2]), abs=0.05)
    assert moved.dtype == np.float32


def test_marks_are_the_mean_of_all_networks_and_nan_without_a_face(steady: Steady) -> None:
    face = (2 * TEMPLATE + [50, 40]).astype(np.float32)
    photo = np.zeros((250, 250, 3), np.uint8)
    networks = steady(np.tile([0.0, 0.0], 5)), steady(np.tile([1.0, 0.0], 5))
    found = marked(networks, photo, face)
    wanted = face + np.array([3, 0])  # three passes of one of the two
    assert found == pytest.approx(wanted, abs=0.1)
    blind = RetinaFace().eval()
    for head in blind.ClassHead:
        head.conv1x1.bias.data[:] = torch.tensor([9.0, -9.0] * 2)
    assert np.isnan(mark_all(networks, blind, photo[None])).all()


def test_the_commands_work_one_after_another(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    folder = archive.parent
    jpeg = cv2.imencode(".jpg", np.full((250, 250, 3), 90, np.uint8))[1].tobytes()
    for name in ("faces_unlabelled", "backgrounds"):
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as pictures:
            for number in range(10):
                pictures.writestr(f"{number}.jpg", jpeg)
    save_wts(folder / "detector.wts", RetinaFace())

    def run(words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["landmarks", *words.split()])
        cli.main()

    detector, network = f"--detector {folder}/detector.wts", f"{folder}/a/landmarks.onnx"
    run(f"train --data {folder} --steps 2 --batch 4 --out {folder}/a")
    run(f"mark {network} --data {folder} {detector} --out {folder}/b/points.npy")
    assert np.load(folder / "b" / "points.npy").shape == (10, 5, 2)
    np.save(folder / "points.npy", np.tile(FRONTAL.astype(np.float32), (10, 1, 1)))
    run(f"train --data {folder} --points {folder}/points.npy --steps 2 --batch 6 --out {folder}/c")
    run(f"export {folder}/c/checkpoint.pt {folder}/d.onnx")
    assert (folder / "d.onnx").read_bytes() == (folder / "c" / "landmarks.onnx").read_bytes()
    capsys.readouterr()
    run(f"evaluate --data {folder} --network {folder}/d.onnx {detector}")
    figures = json.loads(capsys.readouterr().out)
    assert figures["640"]["placed"]["faces"] == 2
