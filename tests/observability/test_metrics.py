"""The metrics answer: how full, how long, what waits, what was refused, which engine, whose."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from service.errors import codes
from service.metrics import Counted, Metrics
from service.middleware import Observed
from service.record import Batch, Record
from service.tracing import Tracing
from tests.observability.conftest import ASTRONAUT, Watched, read_samples

STAGES = {"read", "queue", "decode", "detect", "align", "classify", "serialise"}


def test_how_full_the_batches_are(watched: Watched) -> None:
    for network in ("detector", "emotion"):
        items = watched.value("emotions_batch_items_sum", network=network)
        assert items >= 2  # the detector may look at a picture twice
        assert 1 <= watched.value("emotions_batch_items_count", network=network) <= items
        assert watched.value("emotions_batch_limit_items", network=network) >= 1


def test_how_long_each_stage_took(watched: Watched) -> None:
    found = {labels["stage"] for labels, _ in watched.samples["emotions_stage_seconds_count"]}
    assert found == STAGES
    assert watched.value("emotions_stage_seconds_count", stage="detect") >= 2
    assert watched.value("emotions_stage_seconds_count", stage="decode") >= 3
    assert watched.value("emotions_stage_seconds_sum", stage="detect") > 0


def test_what_is_queued(watched: Watched) -> None:
    for network in ("detector", "emotion"):
        assert watched.value("emotions_queued_items", network=network) == 0
        assert watched.value("emotions_queue_limit_items", network=network) >= 512
        assert watched.value("emotions_ready", network=network) == 1
    assert watched.value("emotions_images_under_way") == 0
    assert watched.value("emotions_images_under_way_limit") == 512


def test_what_was_refused_and_why(watched: Watched) -> None:
    refused = {
        labels["code"]: value
        for labels, value in watched.samples["emotions_refused_requests_total"]
    }
    assert refused == dict.fromkeys(codes(), 0) | {
        "corrupt_image": 1,
        "unsupported_media": 1,
        "unauthorized": 1,
    }


def test_which_engine_and_plan(watched: Watched) -> None:
    for network, model in {"detector": "retinaface-mnet025", "emotion": "emotion-fer48"}.items():
        (facts,) = (
            labels
            for labels, _ in watched.samples["emotions_engine_info"]
            if labels["network"] == network
        )
        assert facts["model"] == model
        assert {"engine", "plan", "precision"} <= facts.keys()
    assert watched.value("emotions_build_info", version="0.1.0") == 1


def test_which_key_used_what(watched: Watched) -> None:
    assert watched.value("emotions_key_requests_total", key="pipeline", outcome="ok") == 1
    assert (
        watched.value("emotions_key_requests_total", key="pipeline", outcome="corrupt_image") == 1
    )
    assert watched.value("emotions_key_images_total", key="pipeline") == 3
    assert watched.value("emotions_key_received_bytes_total", key="pipeline") > 2 * len(ASTRONAUT)


def test_runners_that_fail_and_items_that_leave_are_counted() -> None:
    metrics = Metrics()
    observer = Counted(metrics, "detector")
    observer.failed()
    observer.dropped("late", 2)
    observer.dropped("gone", 3)
    observer.ran(Batch(4, {Record(): 1.0}, 1.0, 2.0, 4.5))
    samples = read_samples(metrics.render().decode())
    assert samples["emotions_runner_failures_total"] == [({"network": "detector"}, 1)]
    assert {labels["reason"]: n for labels, n in samples["emotions_dropped_items_total"]} == {
        "late": 2,
        "gone": 3,
    }
    assert samples["emotions_queue_seconds_sum"] == [({"network": "detector"}, 1.0)]
    assert samples["emotions_batch_seconds_sum"] == [({"network": "detector"}, 2.5)]


async def test_what_nobody_expected_is_counted_as_internal() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("inside")

    metrics = Metrics()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError):
        await Observed(broken, metrics, Tracing())(scope, nobody, nobody)
    samples = read_samples(metrics.render().decode())
    assert ({"code": "internal"}, 1) in samples["emotions_refused_requests_total"]
    assert samples["emotions_requests_total"] == [({"path": "other", "status": "500"}, 1)]


async def nobody(*_: object) -> Any:
    raise AssertionError("nobody is there")
