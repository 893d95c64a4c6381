"""What a reader says of the networks that it asks: one here, and one of a service elsewhere."""

from pathlib import Path

import pytest

from analysis.types import Options
from engines.catalog import BUILTIN
from offline.analyzers import opened
from service.settings import Settings
from tests.photographs import ASTRONAUT_FILE, read
from tests.server import Server, serving


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Our entries for people who are more alike."""
    path = tmp_path / "mine.toml"
    text = BUILTIN.read_text().replace("same_person = 0.45", "same_person = 0.625")
    path.write_text(text.replace('"models/', f'"{BUILTIN.parent}/models/'))
    return path


async def test_people_are_told_apart_by_the_entry_of_the_embedder(
    plans: Path, catalog: Path
) -> None:
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False, catalog=catalog)
    async with opened(settings, Options()) as here:
        assert here.same_person == 0.625
    with serving(plans, catalog=str(catalog)) as server:
        async with opened(Settings(), Options(), server.url) as there:
            assert there.same_person == 0.625


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_frames_have_embeddings_only_where_they_are_wanted(
    plans: Path, server: Server, elsewhere: bool
) -> None:
    settings = Settings(plans=plans, engine="onnxruntime", isolate=False)
    url, image = server.url if elsewhere else None, read(ASTRONAUT_FILE)
    for asked, follow in ((False, True), (False, False), (True, False)):
        options = Options(embeddings=asked)
        async with opened(settings, options, url, follow=follow) as reader:
            (face,) = (await reader.look("0", image)).faces
        assert (face.embedding is not None) == (follow or asked)
