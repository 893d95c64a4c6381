"""Fixtures: plans of the default models, built once per session, and a real server."""

import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from engines.backends.onnxruntime import OnnxRuntime
from engines.build import build
from engines.catalog import Catalog
from tests.server import Server, serving

# A background job of a shell ignores SIGINT, and the commands that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The duration of an example depends on the machine more than on the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# The reference engine, whatever else is installed. Tests of other engines name theirs.
os.environ["EMOTIONS_ENGINE"] = "onnxruntime"
DEFAULTS = ("retinaface-mnet025", "landmarks-64", "emotion-fer48", "arcface-mobilefacenet")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run also the slow variants")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: a variant of a test that runs only with --all")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plans of the default models."""
    folder = tmp_path_factory.mktemp("plans")
    catalog = Catalog.load()
    for spec in map(catalog.get, DEFAULTS):
        for each in (spec, *spec.larger, *spec.wide):
            build(each, OnnxRuntime(), folder)
    return folder


@pytest.fixture
def own_plans(plans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same plans in a folder to which a test adds models; commands use it."""
    folder = tmp_path / "plans"
    shutil.copytree(plans, folder, copy_function=os.link)
    monkeypatch.setenv("EMOTIONS_PLANS", str(folder))
    return folder


@pytest.fixture(scope="session")
def server(plans: Path) -> Iterator[Server]:
    """A uvicorn process with default settings."""
    with serving(plans) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape captured text that is not UTF-8: pytest-xdist cannot send it."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
