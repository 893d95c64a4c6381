"""Fixtures: the default models' plans, built once for all tests, and a real server on them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from engines.backends.onnxruntime import OnnxRuntime
from engines.build import build
from engines.catalog import Catalog
from tests.server import Server, serving

# A background job of a shell ignores SIGINT, and so would every command that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# The reference, whatever else is installed; what tests another engine names it.
os.environ["EMOTIONS_ENGINE"] = "onnxruntime"
DEFAULTS = ("retinaface-mnet025", "landmarks-64", "emotion-fer48", "arcface-mobilefacenet")


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plans of the shipped models."""
    folder = tmp_path_factory.mktemp("plans")
    catalog = Catalog.load()
    for name in DEFAULTS:
        build(catalog.get(name), OnnxRuntime(), folder)
    return folder


@pytest.fixture(scope="session")
def server(plans: Path) -> Iterator[Server]:
    """A uvicorn process with default settings."""
    with serving(plans) as running:
        yield running
