"""Analyzers with the networks here and with a service: thresholds and embeddings."""

from pathlib import Path

import pytest

from analysis.types import Options
from offline.analyzers import open_analyzer
from service.settings import Settings
from tests.offline.conftest import SAME_PERSON
from tests.photographs import ASTRONAUT_FILE, read
from tests.server import Server


@pytest.mark.parametrize("remote", [False, True])
async def test_the_threshold_is_that_of_the_embedder(
    plans: Path, catalog: Path, strict_server: Server, with_key: Settings, remote: bool
) -> None:
    here = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1, catalog=catalog)
    settings, url = (with_key, strict_server.url) if remote else (here, None)
    async with open_analyzer(settings, Options(), url) as analyzer:
        assert analyzer.same_person == SAME_PERSON


@pytest.mark.parametrize("remote", [False, True])
async def test_embeddings_are_computed_only_if_requested(
    plans: Path, strict_server: Server, with_key: Settings, remote: bool
) -> None:
    here = Settings(plans=plans, engine="onnxruntime", isolate=False, workers=1)
    settings, url = (with_key, strict_server.url) if remote else (here, None)
    image = read(ASTRONAUT_FILE)
    for embeddings, identify in ((False, True), (False, False), (True, False)):
        options = Options(embeddings=embeddings)
        async with open_analyzer(settings, options, url, identify=identify) as analyzer:
            (face,) = (await analyzer.analyze_frame("0", image)).faces
        assert (face.embedding is not None) == (embeddings or identify)
