import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch lives in the environment for training")

from training.detector.calibrate import lower  # noqa: E402
from training.detector.network import RetinaFace  # noqa: E402


@pytest.mark.parametrize("score", [0.5, 0.7, 0.95])
def test_a_score_becomes_one_half_and_the_order_stays(score: float) -> None:
    torch.manual_seed(0)
    network = RetinaFace().eval()
    images = torch.randn(1, 3, 64, 64) * 60
    with torch.no_grad():
        before = network(images)
        lower(network, score)
        after = network(images)
    logits = [each.classes[..., 1] - each.classes[..., 0] for each in (before, after)]
    shift = np.log(score / (1 - score))
    assert torch.allclose(logits[1], logits[0] - shift, atol=1e-4)
    assert torch.equal(before.boxes, after.boxes)
    assert torch.equal(before.landmarks, after.landmarks)
