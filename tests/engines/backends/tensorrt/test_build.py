"""Plans of TensorRT: built, verified against the reference, found again."""

from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import pytest

from engines import build
from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.catalog import Catalog, Precision
from engines.errors import PlanMissingError
from engines.probe_inputs import probe
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine
from tests.engines.backends.tensorrt.network import SIZES, SPEC


def test_a_build_is_verified_and_found(engine: TensorRT, built: build.Built) -> None:
    folder = built.path.parents[1]
    assert built.sidecar.parity is not None
    assert built.sidecar.parity["landmark"] < 1e-3
    assert built.sidecar.fingerprint.identity == {
        "library": "tensorrt 10.16.1",
        "gpu": "NVIDIA L4",
        "compute_capability": "8.9",
    }
    assert not build.build(SPEC, engine, folder).fresh
    with pytest.raises(PlanMissingError):
        build.find(SPEC, engine.on(L4._replace(name="NVIDIA H200")), folder)


def test_the_timing_cache_is_kept_until_it_is_of_another_gpu(
    engine: TensorRT, tmp_path: Path
) -> None:
    cache = build.build(SPEC, engine, tmp_path).path.parent / "timing.cache"
    assert cache.read_bytes() == b"t"
    build.build(SPEC, engine, tmp_path, force=True)
    assert cache.read_bytes() == b"tt"
    cache.write_bytes(b"other GPU")
    build.build(SPEC, engine, tmp_path, force=True)
    assert cache.read_bytes() == b"t"


def test_a_build_that_is_stopped_leaves_nothing(engine: TensorRT, tmp_path: Path) -> None:
    def stop(phase: str, step: int, steps: int) -> None:
        assert phase == "Building engine"
        if step < steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.build(SPEC, engine, tmp_path, report=stop)
    assert not list((tmp_path / "tensorrt").glob("[!.]*"))


def test_without_a_gpu_a_plan_is_built_and_not_verified(machine: Machine, tmp_path: Path) -> None:
    class Elsewhere(TensorRT):
        def identity(self) -> dict[str, str]:
            return {"library": "one for all"}

        def obstacle(self) -> str | None:
            return "there is no GPU" if self._cuda is None else None

    library = cast(Library, fake_tensorrt.on(machine))
    built = build.build(SPEC, Elsewhere("tensorrt", library, ()), tmp_path)
    assert built.sidecar.parity is None
    here = Elsewhere("tensorrt", library, (L4,), cuda=machine.cuda())
    with pytest.raises(PlanMissingError, match="never verified"):
        build.find(SPEC, here, tmp_path)
    again = build.build(SPEC, here, tmp_path)
    assert not again.fresh
    assert again.sidecar.parity is not None
    assert build.find(SPEC, here, tmp_path)[0] == built.path


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_other_precisions_are_verified_within_their_limits(
    engine: TensorRT, tmp_path: Path, precision: Precision
) -> None:
    built = build.build(SPEC, engine, tmp_path, precision=precision)
    assert built.sidecar.parity is not None
    assert built.sidecar.fingerprint.precision == precision


def test_another_network_gives_the_same_alone_as_in_a_batch(
    engine: TensorRT, tmp_path: Path
) -> None:
    emotion = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=SIZES)
    built = build.build(emotion, engine, tmp_path)
    assert built.sidecar.parity is not None
    items = probe(emotion)
    with engine.open(built.path, emotion) as opened:
        together = opened.infer({"faces": items})["scores"]
        alone = [opened.infer({"faces": item[None]})["scores"] for item in items]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)
