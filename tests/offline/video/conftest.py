"""Damaged videos for the tests of a file."""

import pytest

from tests.offline.video.harm import Damaged


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    return Damaged(tmp_path_factory.mktemp("videos"))
