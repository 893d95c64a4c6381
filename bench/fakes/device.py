"""A simulated device that takes time and no CPU time."""

import threading
import time
from typing import NamedTuple, Self

from engines.catalog import Task

# Multiplications per row in millions, counted in the graphs of the built-in catalog.
MILLIONS: dict[Task, int] = {"detector": 980, "landmarks": 26, "emotion": 295, "embedder": 295}


class Cost(NamedTuple):
    """Milliseconds that a batch of the detector takes: `batch_ms + row_ms * rows`.

    The default is RetinaFace-mobilenet0.25 (biubug6's, as in the catalog) with TensorRT 7.2 at FP16
    on a T4. Huawei published trtexec's mean GPU times at 1000x1000: 1.8435 ms for a batch of 1 and
    22.174 ms for a batch of 16 (github.com/Ascend/ModelZoo-PyTorch, file
    ACL_PyTorch/contrib/cv/face/Retinaface/README.md, section 7.2). The line through both is
    0.488 + 1.355 * rows; the time per row is scaled to 640x640 by the number of pixels.

    No times of the small networks are published. They are estimated: the same time per batch, and
    a time per row in proportion to `MILLIONS`. The embedder counts as another emotion network.
    """

    batch_ms: float = 0.488
    row_ms: float = 0.555

    def milliseconds(self, task: Task, rows: float) -> float:
        """Time of one batch of a network; a row of a larger detector counts as several."""
        return self.batch_ms + self.row_ms * rows * MILLIONS[task] / MILLIONS["detector"]

    def best_rate(self, images: int, faces: int) -> float:
        """Images per second if each network gets the rows of `images` images in one batch."""
        total = self.milliseconds("detector", images)
        if faces:
            total += self.milliseconds("landmarks", images * faces)
            total += self.milliseconds("emotion", images * faces)
        return 1000 * images / total

    def with_best_rate(self, rate: float, images: int, faces: int) -> Self:
        """The same device, scaled so that its best rate is `rate`."""
        factor = self.best_rate(images, faces) / rate
        return type(self)(self.batch_ms * factor, self.row_ms * factor)


class Device:
    """Runs one batch after the other, in the order in which they arrive."""

    def __init__(self) -> None:
        self._lock, self._free_at = threading.Lock(), 0.0

    def run(self, seconds: float) -> None:
        """Wait until all earlier batches and this one of `seconds` have run."""
        with self._lock:
            self._free_at = ends = max(self._free_at, time.monotonic()) + seconds
        time.sleep(max(0.0, ends - time.monotonic()))
