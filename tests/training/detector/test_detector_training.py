import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.average import average  # noqa: E402
from training.detector.loader import Batches, Scenes, loader, normalise  # noqa: E402
from training.detector.loss import distillation_losses, feature_loss  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402
from training.detector.pictures import Pictures  # noqa: E402
from training.detector.train import Settings, Training, fit, scenes  # noqa: E402
from training.detector.weights import load_wts, save_wts  # noqa: E402


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    rng = np.random.default_rng(0)
    sizes = ((20, 250, 250, 3), (20, 100, 100, 3))
    return Pictures(*(rng.integers(0, 256, size).astype(np.uint8) for size in sizes))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    tmp_path = tmp_path_factory.mktemp("run")
    torch.manual_seed(1)
    teacher = RetinaFace()
    for _ in range(20):  # batch statistics that fit, or the features would vanish
        teacher(60 * torch.randn(4, 3, 64, 64))
    save_wts(tmp_path / "teacher.wts", teacher)
    return Settings(
        teacher=tmp_path / "teacher.wts",
        backbone=None,
        start=None,
        out=tmp_path,
        steps=8,
        minutes=float("inf"),
        batch=4,
        size=64,
        rate=2e-3,
        decay=1e-4,
        warmup=2,
        average=0.9,
        features=1.0,
        device="cpu",
        workers=0,
        seed=0,
        report=4,
        keep=4,
    )


@pytest.fixture(scope="module")
def finished(settings: Settings, pictures: Pictures) -> Settings:
    """The settings of a finished run."""
    fit(Training(settings), pictures)
    return settings


def test_a_few_steps_lower_the_loss(settings: Settings, pictures: Pictures) -> None:
    training = Training(settings)
    pairs = next(iter(loader(Scenes(pictures, pictures.faces[:2], 0), Batches(1, 2, 4, 64), 0)))
    totals = []
    for _ in range(12):
        training.step = 0  # the pairs are turned in the same way each time
        totals.append(sum(training.advance(pairs).values().values()))
    assert totals[-1] < 0.8 * totals[0]


def test_a_run_writes_curve_and_weights(finished: Settings) -> None:
    assert (finished.out / "student.wts").exists()
    rows = list(csv.DictReader((finished.out / "curve.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["4", "8"]
    assert all(np.isfinite(float(value)) for row in rows for value in row.values())


def test_a_cut_run_that_is_resumed_equals_an_uncut_one(
    finished: Settings, pictures: Pictures, tmp_path: Path
) -> None:
    out = tmp_path / "cut"
    out.mkdir()
    cut = Training(replace(finished, out=out))
    for batch in loader(scenes(cut.teacher, pictures.split()[0], 0), Batches(0, 4, 4, 64), 0):
        cut.advance(batch)
    cut.save()
    further = Training(replace(finished, out=out))
    further.resume()
    assert further.step == 4
    fit(further, pictures)
    assert (out / "student.wts").read_bytes() == (finished.out / "student.wts").read_bytes()


def test_a_finished_run_keeps_its_weights_when_it_is_resumed(
    finished: Settings, pictures: Pictures
) -> None:
    before = (finished.out / "student.wts").read_bytes()
    again = Training(finished)
    again.resume()
    fit(again, pictures)
    assert (finished.out / "student.wts").read_bytes() == before


def test_the_teacher_has_no_loss(pictures: Pictures) -> None:
    network = RetinaFace().eval()
    pairs = next(iter(loader(Scenes(pictures, pictures.faces[:2], 0), Batches(0, 1, 4, 64), 0)))
    with torch.no_grad():
        output = network(normalise(pairs[:, 1], torch.device("cpu")))
        losses = distillation_losses(output, output, torch.ones(len(pairs), dtype=bool)).values()
    assert losses == pytest.approx(dict.fromkeys(losses, 0.0), abs=1e-5)


def test_turned_pictures_do_not_count_for_the_features() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        one, other = (RetinaFace().eval()(images) for _ in range(2))
    both, first, none = (
        float(feature_loss(one, other, torch.tensor(upright)))
        for upright in ([True, True], [True, False], [False, False])
    )
    assert both != first
    assert none == 0


def test_training_goes_on_from_a_start(settings: Settings, pictures: Pictures) -> None:
    out = settings.out / "further"
    out.mkdir()
    further = Training(replace(settings, start=settings.teacher, out=out, steps=2))
    name = "body.stage1.0.0.weight"
    assert torch.equal(further.student.state_dict()[name], further.teacher.state_dict()[name])
    fit(further, pictures)
    assert further.step == 2
    assert all(value.isfinite().all() for value in load_wts(out / "student.wts").parameters())


def test_every_fourth_batch_is_large() -> None:
    shapes = [[(len(keys), keys[0][1])] for keys in Batches(0, 5, 8, 64)]
    assert shapes == [[(2, 128)], [(8, 64)], [(8, 64)], [(8, 64)], [(2, 128)]]


def test_workers_make_the_same_scenes(pictures: Pictures) -> None:
    alone, helped = (
        list(loader(Scenes(pictures, pictures.faces[:2], 0), Batches(0, 3, 4, 64), workers))
        for workers in (0, 1)
    )
    assert all(torch.equal(one, other) for one, other in zip(alone, helped, strict=True))


def test_the_average_starts_near_the_newest_weights() -> None:
    old, new = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    average(old, new, 0, 0.999)
    assert torch.allclose(old.weight, new.weight, atol=0.15)
