"""Lanes: the same faces as stage by stage, here and in a worker process."""

import asyncio
import re
import time
from pathlib import Path

import numpy as np
import pytest

from engines.worker import channel
from service import image as images
from service.errors import CorruptImage
from service.lane import wire
from service.lane.lane import FEW_FACES, Lane, Networks, Passed, Task
from service.lane.wire import LaneRunner
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
    [passed] = wire.passed(runner.infer(wire.feeds([Task(source, Options())])))
    return passed


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


def test_images_taken_together_are_answered_as_alone(runner: LaneRunner) -> None:
    sources: list[Source] = [IMAGES[0], IMAGES[5], TILED, ASTRONAUT, *IMAGES[1:3]]
    tasks = [Task(each, Options()) for each in sources]
    together = runner.infer(wire.feeds(tasks))
    for index, task in enumerate(tasks):
        for name, array in runner.infer(wire.feeds([task])).items():
            if name not in {"0/samples", "0/read"}:
                assert np.array_equal(array, together[name.replace("0", str(index), 1)]), name


def test_faces_of_images_taken_together_are_read_in_one_batch(runner: LaneRunner) -> None:
    sources: list[Source] = [IMAGES[5], ASTRONAUT, TILED, ASTRONAUT]
    tasks = [Task(each, Options()) for each in sources]
    passed = wire.passed(runner.infer(wire.feeds(tasks)))
    assert [each.read for each in passed] == [0, 2, 0, 0], "told with the first of them"
    first, second = passed[1].samples[-1], passed[3].samples[-1]
    assert first == second
    assert first.stage == "classify"


async def test_what_waits_is_handed_to_lanes_some_at_once(plans: Path) -> None:
    metrics = Metrics()
    async with running(plans, metrics=metrics) as pipeline:
        alone = await analyze(pipeline, IMAGES[0])
        results = await asyncio.gather(*(analyze(pipeline, IMAGES[0]) for _ in range(40)))
        assert all(same(alone, each) for each in results)
    told = metrics.render().decode()
    held = re.search(r'batch_items_count{network="detector"} (\d+)', told)
    assert held is not None
    assert int(held[1]) < 41, "not one by one"


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
