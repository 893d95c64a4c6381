"""A service with settings of its own, shared by all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.catalog import BUILTIN
from service.settings import Settings
from tests.server import Server, serving

KEY, MAX_PIXELS, SAME_PERSON = "sesame", 300_000, 0.625


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built-in entries, with `SAME_PERSON` as the threshold of the embedder."""
    path = tmp_path_factory.mktemp("catalog") / "mine.toml"
    text = BUILTIN.read_text().replace("same_person = 0.45", f"same_person = {SAME_PERSON}")
    path.write_text(text.replace('"models/', f'"{BUILTIN.parent}/models/'))
    return path


@pytest.fixture(scope="session")
def strict_server(plans: Path, catalog: Path) -> Iterator[Server]:
    """A service that takes one key and small images, with `catalog`."""
    with serving(
        plans, workers="1", api_keys=KEY, max_pixels=str(MAX_PIXELS), catalog=str(catalog)
    ) as server:
        yield server


@pytest.fixture
def with_key() -> Settings:
    """Settings that show the key of `strict_server`."""
    return Settings.model_validate({"api_keys": KEY})
