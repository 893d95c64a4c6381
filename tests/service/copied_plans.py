"""Plans of ONNX Runtime under the names of another engine's."""

import shutil
from pathlib import Path

import msgspec

from engines import build, plan
from engines.backends.onnxruntime import OnnxRuntime
from engines.catalog import Catalog
from engines.plan import resolve
from engines.types import Engine
from tests.conftest import DEFAULTS


def copy_plans(plans: Path, folder: Path, engine: Engine) -> None:
    """Publish the plans of ONNX Runtime as plans of `engine`, which computes the same."""
    specs = map(Catalog.load().get, DEFAULTS)
    for spec in (each for entry in specs for each in (entry, *entry.larger, *entry.wide)):
        path, sidecar = build.find(spec, OnnxRuntime(), plans)
        copy = resolve(spec, engine, folder)
        copy.path.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy.path)
        named = msgspec.structs.replace(sidecar, fingerprint=copy.fingerprint)
        plan.write_sidecar(copy.path, named)
