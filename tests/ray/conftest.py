"""The service on Ray Serve in the place of `emotions serve`."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray uses what pydantic deprecates
    import ray.serve  # noqa: F401

from tests.ray.serving import ray_serving
from tests.server import Server

# Ray starts a dozen processes, which takes minutes on a machine with other work.
START_S = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(START_S))


@pytest.fixture(scope="module")
def server(plans: Path) -> Iterator[Server]:
    with ray_serving(plans, "emotions.ray:app", "replicas=2", log_format="json") as running:
        yield running
