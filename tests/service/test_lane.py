"""Lanes: the same faces as stage by stage, here and in a worker process."""

import time
from pathlib import Path

import numpy as np
import pytest

from engines.worker import channel
from service import image as images
from service.errors import CorruptImage
from service.lane import wire
from service.lane.lane import FEW_FACES, Lane, Networks
from service.lane.wire import LaneRunner, Passed, Task
from service.metrics import Metrics
from service.record import recording
from service.settings import Settings
from service.stages import Cut, Options, Rules, Source
from service.startup import find_models
from tests.photographs import ASTRONAUT_FILE, read
from tests.service.test_pipeline import IMAGES, TILED, analyze, running, same

ASTRONAUT = read(ASTRONAUT_FILE)
ALL = Options(embeddings=True, keep_image=True)


@pytest.fixture(scope="module")
def networks(plans: Path) -> Networks:
    models = find_models(Settings(plans=plans, engine="onnxruntime"))
    rules = Rules(images.ImageLimits(10_000_000, 10_000_000), (640, 640), 0.4)
    detector, emotion = models.detector, models.emotion
    return Networks((detector.plan, detector.spec), (emotion.plan, emotion.spec), rules)


@pytest.fixture(scope="module")
def runner(networks: Networks, plans: Path) -> LaneRunner:
    engine = find_models(Settings(plans=plans, engine="onnxruntime")).engine
    return LaneRunner(Lane.open(engine, networks))


def taken(runner: LaneRunner, source: Source) -> Passed:
    return wire.passed(runner.infer(wire.feeds(Task(source, Options()))))


async def test_lanes_give_what_stages_give(plans: Path) -> None:
    async with running(plans, full=True) as lanes, running(plans, staged=True) as stages:
        for data in IMAGES:
            assert same(await analyze(lanes, data), await analyze(stages, data))


@pytest.mark.skipif(not channel.supported(), reason="there are workers on Linux only")
async def test_a_lane_in_another_process_gives_what_one_here_gives(plans: Path) -> None:
    deadline = time.monotonic() + 60
    async with running(plans) as near, running(plans, isolated=True) as far:
        for data in IMAGES:
            assert same(await analyze(near, data), await analyze(far, data))
        one = await near.analyze(IMAGES[0], ALL, deadline)
        other = await far.analyze(IMAGES[0], ALL, deadline)
        assert one.image is not None
        assert other.image is not None
        assert one.embeddings is not None
        assert other.embeddings is not None
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.embeddings, other.embeddings)
        pixels = await far.analyze_pixels(ASTRONAUT, ALL, deadline)
        assert pixels.image is ASTRONAUT
        assert np.array_equal(pixels.scores, other.scores)


def test_few_faces_are_read_at_once_and_many_are_shared_out(runner: LaneRunner) -> None:
    few, many = taken(runner, ASTRONAUT).outcome, taken(runner, TILED).outcome
    assert isinstance(few, Cut)
    assert isinstance(many, Cut)
    assert few.scores is not None
    assert few.scores.shape == (1, 7)
    assert not few.crops
    assert many.scores is None
    assert len(many.crops) == len(many.faces.boxes) > FEW_FACES


def test_what_is_wrong_with_an_image_is_an_answer(runner: LaneRunner) -> None:
    passed = taken(runner, IMAGES[5])
    assert isinstance(passed.outcome, CorruptImage)
    assert [sample.stage for sample in passed.samples] == ["decode"]
    assert "send it whole" in str(passed.outcome)
    assert isinstance(taken(runner, IMAGES[0]).outcome, Cut), "and the lane goes on"


async def test_a_record_has_every_stage_of_a_lane(plans: Path) -> None:
    metrics = Metrics()
    async with running(plans, metrics=metrics) as pipeline:
        with recording() as record:
            await pipeline.analyze(IMAGES[0], Options(), time.monotonic() + 60)
    stages = {sample.stage for sample in record.samples}
    assert stages == {"queue", "decode", "detect", "align", "classify"}
    told = metrics.render().decode()
    assert 'emotions_batch_items_count{network="emotion"} 1.0' in told


def test_networks_travel(networks: Networks) -> None:
    assert wire.decode(wire.encode(networks)) == networks
