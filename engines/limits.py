"""Default limits for the difference between a plan and the reference."""

from collections.abc import Mapping

import msgspec

from engines.catalog import ModelSpec, Precision, Task

# The names are those of `engines.catalog.ParityLimits`. The shipped networks stay within the limits
# if weights and inner results are rounded: `test_precision.py`, `test_openvino.py`.
LIMITS: Mapping[Task, Mapping[Precision, Mapping[str, float]]] = {
    "detector": {
        "fp32": {"iou": 0.99, "landmark": 0.5, "score": 0.001},
        "fp16": {"iou": 0.98, "landmark": 0.5, "score": 0.01},
        "bf16": {"iou": 0.97, "landmark": 1.5, "score": 0.03},
        # The landmarks of faces of 250 pixels; the landmark network places them again.
        "int8": {"iou": 0.85, "landmark": 24.0, "score": 0.15},
    },
    "landmarks": {
        "fp32": {"landmark": 0.01},
        "fp16": {"landmark": 0.05},
        "bf16": {"landmark": 0.2},
        "int8": {"landmark": 0.5},
    },
    "emotion": {
        "fp32": {"score": 0.001, "agreement": 1.0},
        "fp16": {"score": 0.01, "agreement": 1.0},
        "bf16": {"score": 0.02, "agreement": 1.0},
        "int8": {"score": 0.05, "agreement": 0.9},
    },
    "embedder": {
        "fp32": {"cosine": 0.9999},
        "fp16": {"cosine": 0.999},
        "bf16": {"cosine": 0.998},
        "int8": {"cosine": 0.98},
    },
}


def allowed(spec: ModelSpec, precision: Precision) -> dict[str, float]:
    """The limit of each figure: from the catalog's entry, else from the task."""
    given = msgspec.structs.asdict(spec.limits[precision]) if precision in spec.limits else {}
    chosen = {name: limit for name, limit in given.items() if limit is not None}
    return {**LIMITS[spec.task][precision], **chosen}
