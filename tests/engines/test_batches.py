"""Batch invariance on CPUs: a face gets the same bits alone as in any batch, at every precision."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from engines import build
from engines.catalog import Catalog, Precision
from engines.errors import LibraryMissingError
from engines.probe_inputs import probe
from engines.select import load_engine
from engines.types import Array, Runner

CASES: list[tuple[str, str, Precision]] = [
    ("onnxruntime", "landmarks-64", "fp32"),
    ("onnxruntime", "landmarks-64", "fp16"),
    ("onnxruntime", "landmarks-64", "int8"),
    ("onnxruntime", "emotion-fer48", "fp32"),
    ("openvino", "landmarks-64", "fp32"),
    ("openvino", "landmarks-64", "bf16"),
    ("openvino", "landmarks-64", "int8"),
    ("openvino", "emotion-fer48", "fp32"),
    ("openvino", "emotion-fer48", "bf16"),
]


class Faces(NamedTuple):
    """A runner, real faces, and the answer for each of them alone."""

    runner: Runner
    items: Array
    alone: dict[str, Array]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def faces(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faces]:
    name, model, precision = request.param
    try:
        engine = load_engine(name)
    except LibraryMissingError:
        pytest.skip("the extra openvino is not installed")
    if precision not in engine.precisions:
        pytest.skip(f"this CPU does not compute in {precision}")
    spec = Catalog.load().get(model)
    path = build.build(spec, engine, tmp_path_factory.mktemp("plans"), precision=precision).path
    items = probe(spec)
    with engine.open(path, spec) as runner:
        found = [runner.infer({"faces": item[None]}) for item in items]
        yield Faces(
            runner, items, {key: np.concatenate([f[key] for f in found]) for key in found[0]}
        )


def test_a_face_is_answered_alike_alone_and_in_any_batch(faces: Faces) -> None:
    rng = np.random.default_rng(0)
    for rows in range(1, 18):
        chosen = rng.integers(0, len(faces.items), rows)
        together = faces.runner.infer({"faces": faces.items[chosen]})
        assert together.keys() == faces.alone.keys()
        for name, values in together.items():
            assert np.array_equal(values, faces.alone[name][chosen]), rows
