import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

import tensorrtx  # noqa: E402
from training.embedder.augment import Views, batches  # noqa: E402
from training.embedder.faces import SIDE, Faces  # noqa: E402
from training.embedder.loss import distance  # noqa: E402
from training.embedder.network import MobileFaceNet  # noqa: E402
from training.embedder.start import start  # noqa: E402
from training.embedder.train import Settings, Training, fit  # noqa: E402
from training.embedder.weights import load_wts, save_wts  # noqa: E402

SMALL = 14  # a block of small maps


@pytest.fixture(scope="module")
def faces() -> Faces:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    images = np.repeat(np.repeat(coarse, SIDE // 8, 1), SIDE // 8, 2)
    return Faces(images, tuple(f"Person_{'abcdefghij'[i // 2]}_{i:04}" for i in range(20)))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with maps of deviation 1, made by the start of a student."""
    torch.manual_seed(1)
    network = MobileFaceNet()
    images = torch.randn(8, 3, 112, 112)
    shapes = [maps.shape for maps in network.features(images)]
    start(network, images, [torch.randn(shape) for shape in shapes])
    path = tmp_path_factory.mktemp("teacher") / "teacher.wts"
    save_wts(path, network)
    return path


def settings_of(teacher: Path, out: Path) -> Settings:
    return Settings(
        teacher=teacher,
        out=out,
        steps=4,
        minutes=float("inf"),
        apart=0.5,
        batch=2,
        blocks=4,
        pool=4,
        late=4,
        reuse=4,
        rate=2e-2,
        fine_rate=5e-3,
        warmup=2,
        hints=1.0,
        device="cpu",
        workers=0,
        seed=0,
        report=2,
        keep=2,
    )


@pytest.fixture
def settings(teacher: Path, tmp_path: Path) -> Settings:
    return settings_of(teacher, tmp_path)


@pytest.fixture(scope="module")
def finished(teacher: Path, faces: Faces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps of single blocks and two of all together."""
    out = tmp_path_factory.mktemp("finished")
    training = Training(settings_of(teacher, out), faces)
    training.begin()
    fit(training)
    assert training.joined == 2
    return out


@pytest.fixture
def resumed(finished: Path, settings: Settings) -> Settings:
    """The settings of a copy of that run."""
    shutil.copytree(finished, settings.out, dirs_exist_ok=True)
    return settings


def test_a_few_steps_lower_the_loss(settings: Settings, faces: Faces) -> None:
    run = replace(settings, steps=60, apart=1.0, blocks=1, reuse=60, pool=8)
    training = Training(run, faces)
    training.begin()
    block = training.student.blocks[SMALL]
    with torch.no_grad():
        for values in block.parameters():
            values.mul_(1 + 0.3 * torch.randn_like(values))
    training.distances.zero_()
    training.distances[SMALL] = 1

    def off() -> float:
        targets = training.pool.all[1]
        found = block(targets[SMALL - 1])
        return float(distance(found, targets[SMALL], training.variances[SMALL]).detach())

    before = off()
    for _ in range(60):
        training.advance()
    assert off() < 0.5 * before


def test_a_run_writes_curve_and_weights_and_resumes(resumed: Settings, faces: Faces) -> None:
    further = Training(replace(resumed, steps=6), faces)
    further.resume()
    assert (further.step, further.joined) == (4, 2)
    fit(further)
    rows = list(csv.DictReader((resumed.out / "curve.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert all(np.isfinite(float(row["held_out_cosine"])) for row in rows)


def test_a_finished_run_keeps_its_weights_when_it_is_resumed(
    resumed: Settings, faces: Faces
) -> None:
    before = (resumed.out / "student.wts").read_bytes()
    again = Training(resumed, faces)
    again.resume()
    fit(again)
    assert again.step == 4
    assert (resumed.out / "student.wts").read_bytes() == before


@pytest.mark.parametrize("apart", [0.5, 1.0])
def test_joined_blocks_stay_joined_in_a_longer_run(
    resumed: Settings, faces: Faces, apart: float
) -> None:
    longer = Training(replace(resumed, steps=100, apart=apart), faces)
    longer.resume()
    row = longer.advance()
    assert longer.joined == 3
    assert np.isfinite(row["cosine"])
    assert longer.rate == resumed.fine_rate


def test_the_engine_gives_the_embeddings_of_the_student(teacher: Path) -> None:
    model = tensorrtx.export("arcface-mobilefacenet", teacher, raw=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    images = torch.rand(3, 3, 112, 112) * 2 - 1
    (answer,) = session.run(None, {"input": images.numpy()})
    with torch.no_grad():
        expected = load_wts(teacher)(images).numpy()
    assert np.abs(answer - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_teacher_has_no_loss(teacher: Path) -> None:
    maps = load_wts(teacher).features(torch.randn(2, 3, 112, 112))
    assert all(float(distance(each, each, torch.tensor(1.0)).detach()) == 0 for each in maps)


def test_two_runs_of_one_seed_are_equal(settings: Settings, faces: Faces) -> None:
    runs = []
    for _ in range(2):
        training = Training(settings, faces)
        training.begin()
        runs.append([training.advance()["hints"] for _ in range(2)])
    assert runs[0] == runs[1]


def test_workers_make_the_same_views(faces: Faces) -> None:
    views = Views(faces.images, seed=0)
    alone, helped = (next(batches(views, 2, 3, workers)) for workers in (0, 1))
    assert torch.equal(alone, helped)
