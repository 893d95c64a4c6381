import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

import tensorrtx  # noqa: E402
from training.embedder.faces import SIDE, Faces  # noqa: E402
from training.embedder.loss import distance  # noqa: E402
from training.embedder.network import MobileFaceNet  # noqa: E402
from training.embedder.soap import LOOK, REFRESH, Soap  # noqa: E402
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
    """A network that gives maps of deviation 1, made by the start of a student."""
    torch.manual_seed(1)
    network = MobileFaceNet()
    images = torch.randn(8, 3, 112, 112)
    shapes = [maps.shape for maps in network.features(images)]
    start(network, images, [torch.randn(shape) for shape in shapes])
    path = tmp_path_factory.mktemp("teacher") / "teacher.wts"
    save_wts(path, network)
    return path


@pytest.fixture
def settings(teacher: Path, tmp_path: Path) -> Settings:
    return Settings(
        teacher=teacher,
        out=tmp_path,
        steps=8,
        minutes=float("inf"),
        apart=0.67,
        batch=4,
        blocks=6,
        pool=8,
        late=16,
        reuse=4,
        rate=2e-2,
        fine_rate=5e-3,
        warmup=2,
        hints=1.0,
        device="cpu",
        workers=0,
        seed=0,
        report=4,
        keep=4,
    )


def test_a_few_steps_lower_the_loss(settings: Settings, faces: Faces) -> None:
    training = Training(replace(settings, steps=60, apart=1.0, blocks=1, reuse=60), faces)
    training.begin()
    block = training.student.blocks[SMALL]
    with torch.no_grad():
        for values in block.parameters():
            values.mul_(1 + 0.3 * torch.randn_like(values))
    training.behind.zero_()
    training.behind[SMALL] = 1

    def off() -> float:
        targets = training.pool.all[1]
        found = block(targets[SMALL - 1])
        return float(distance(found, targets[SMALL], training.variances[SMALL]).detach())

    before = off()
    for _ in range(60):
        training.advance()
    assert off() < 0.5 * before


def test_an_axis_keeps_its_place_where_others_see_no_gradient() -> None:
    torch.manual_seed(0)
    weights = torch.nn.Parameter(torch.randn(32, 16, 1, 1))
    seen = torch.linalg.qr(torch.randn(32, 2))[0]
    optimiser, places = Soap([{"params": [weights]}]), []
    for step in range(1, LOOK + 2 * REFRESH + 1):
        weights.grad = (seen @ torch.randn(2, 16))[:, :, None, None]
        optimiser.step()
        if step >= LOOK:
            along = (optimiser.state[weights]["rows"].T @ seen).norm(dim=1)
            places.append(set(along.topk(2).indices.tolist()))
    assert all(place == places[0] for place in places)


def test_a_run_leaves_curve_and_weights_and_goes_on(settings: Settings, faces: Faces) -> None:
    training = Training(settings, faces)
    training.begin()
    fit(training)
    further = Training(replace(settings, steps=10), faces)
    further.resume()
    assert (further.step, further.joined) == (8, training.joined)
    assert further.joined > 0
    fit(further)
    rows = list(csv.DictReader((settings.out / "curve.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["4", "8", "10"]
    assert all(np.isfinite(float(row["held_out_cosine"])) for row in rows)


@pytest.mark.parametrize("apart", [0.67, 1.0])
def test_blocks_that_are_joined_stay_so_in_a_longer_run(
    settings: Settings, faces: Faces, apart: float
) -> None:
    training = Training(settings, faces)
    training.begin()
    fit(training)
    longer = Training(replace(settings, steps=100, apart=apart), faces)
    longer.resume()
    row = longer.advance()
    assert longer.joined == training.joined + 1
    assert np.isfinite(row["cosine"])
    assert longer.optimiser.param_groups[-1]["lr"] == settings.fine_rate


def test_the_engine_answers_as_the_student_does(teacher: Path) -> None:
    model = tensorrtx.export("arcface-mobilefacenet", teacher, raw=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    images = torch.rand(3, 3, 112, 112) * 2 - 1
    (answer,) = session.run(None, {"input": images.numpy()})
    with torch.no_grad():
        expected = load_wts(teacher)(images).numpy()
    assert np.abs(answer - expected).max() < 1e-4 * np.abs(expected).max()


def test_the_teacher_itself_has_nothing_to_lose(teacher: Path) -> None:
    maps = load_wts(teacher).features(torch.randn(2, 3, 112, 112))
    assert all(float(distance(each, each, torch.tensor(1.0)).detach()) == 0 for each in maps)


def test_two_runs_of_one_seed_are_equal(settings: Settings, faces: Faces) -> None:
    runs = []
    for _ in range(2):
        training = Training(settings, faces)
        training.begin()
        runs.append([training.advance()["hints"] for _ in range(2)])
    assert runs[0] == runs[1]


def test_workers_make_the_same_views(settings: Settings, faces: Faces) -> None:
    alone, helped = (
        next(Training(replace(settings, workers=workers), faces)._source(3)) for workers in (0, 1)
    )
    assert torch.equal(alone, helped)
