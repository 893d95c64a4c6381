import runpy
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.detector.detections import anchors, decode, detect, suppress  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402
from training.detector.weights import COUNTER, load_backbone, load_wts, save_wts  # noqa: E402

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"
SHARED = ROOT.parent / "shared" / "weights"
MODEL = ROOT / "engines" / "models" / "retinaface-mnet025.wts"
Golden = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def golden() -> Golden:
    with np.load(DATA / "golden" / "retinaface_mnet025.npz") as archive:
        return dict(archive)


@pytest.fixture
def seeded_network(golden: Golden) -> RetinaFace:
    seeded = runpy.run_path(str(DATA / "seeded_weights.py"))["seeded"]
    network = RetinaFace()
    state = network.state_dict()
    for name in golden["names"].tolist():
        values = seeded(name, tuple(state[name].shape), gain=float(golden["gain"]))
        state[name] = torch.from_numpy(values)
    network.load_state_dict(state)
    network.eval()
    return network


def test_names_and_shapes_are_those_of_the_reference(golden: Golden) -> None:
    state = {k: v for k, v in RetinaFace().state_dict().items() if not k.endswith(COUNTER)}
    assert list(state) == golden["names"].tolist()
    shapes = [",".join(str(side) for side in value.shape) for value in state.values()]
    assert shapes == golden["shapes"].tolist()


def test_outputs_are_those_of_the_reference(golden: Golden, seeded_network: RetinaFace) -> None:
    images = golden["images_bgr"].astype(np.float32) - np.array([104, 117, 123], np.float32)
    with torch.no_grad():
        output = seeded_network(torch.from_numpy(images.transpose(0, 3, 1, 2)))
    scores = output.classes.softmax(-1)
    for name, got in (("loc", output.boxes), ("conf", scores), ("landms", output.landmarks)):
        scale = np.abs(golden[name]).max()
        assert np.abs(got.numpy() - golden[name]).max() / scale < 1e-4


def test_weights_survive_a_wts_file(tmp_path: Path, seeded_network: RetinaFace) -> None:
    save_wts(tmp_path / "a.wts", seeded_network)
    loaded = load_wts(tmp_path / "a.wts").state_dict()
    for name, value in seeded_network.state_dict().items():
        assert torch.equal(value, loaded[name]) or name.endswith(COUNTER)


def test_every_output_has_its_anchor(seeded_network: RetinaFace) -> None:
    with torch.no_grad():
        count = seeded_network(torch.zeros(1, 3, 96, 160)).classes.shape[1]
    assert anchors(96, 160).shape == (count, 3)


def test_a_face_at_its_anchor_needs_no_correction() -> None:
    prior = np.array([[100, 50, 32]], np.float32)
    boxes, points = decode(np.zeros((1, 14), np.float32), prior)
    assert boxes.tolist() == [[84, 34, 116, 66]]
    assert points.tolist() == [[[100, 50]] * 5]


def test_the_weaker_of_two_boxes_is_removed() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50]], np.float32)
    assert suppress(boxes, np.array([0.6, 0.9, 0.7], np.float32)).tolist() == [1, 2]
    assert suppress(boxes[:0], np.zeros(0, np.float32)).size == 0


@pytest.mark.skipif(not SHARED.exists(), reason="the reference weights are not beside the project")
def test_reference_weights_give_what_their_graph_gives() -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="runs the reference graph")
    graph = onnxruntime.InferenceSession(SHARED / "retinaface_mnet025_reference.onnx")
    images = np.random.default_rng(0).uniform(-120, 150, (1, 3, 640, 640)).astype(np.float32)
    expected = graph.run(None, {graph.get_inputs()[0].name: images})
    with torch.no_grad():
        output = load_wts(SHARED / "retinaface_mnet025.wts")(torch.from_numpy(images))
    got = output.boxes, output.classes.softmax(-1), output.landmarks
    for one, other in zip(got, expected, strict=True):
        assert np.abs(one.numpy() - other).max() < 1e-4


@pytest.mark.skipif(not SHARED.exists(), reason="the backbone is not beside the project")
def test_the_backbone_fits() -> None:
    load_backbone(RetinaFace(), SHARED / "mobilenetV1X0.25_pretrain.tar")


@pytest.mark.skipif(not MODEL.exists(), reason="no trained weights yet")
def test_trained_weights_see_nothing_in_nothing() -> None:
    (found,) = detect(load_wts(MODEL), np.full((1, 320, 320, 3), 128, np.uint8), 0.5)
    assert len(found.boxes) == 0
