"""Metrics of batches, durations, queues, errors, engines and keys."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from analysis.errors import kinds
from analysis.timing import Batch
from engines import cpu
from service.telemetry.metrics import Metrics
from service.telemetry.middleware import TelemetryMiddleware
from service.telemetry.stats import RequestStats
from service.telemetry.tracing import Tracing
from tests.observability.samples import ASTRONAUT, Watched, read_samples

NETWORKS = ("detector", "landmarks", "emotion")
STAGES = {"read", "queue", "decode", "detect", "align", "classify", "serialise"}


def test_batch_sizes_and_limits(watched: Watched) -> None:
    for network in NETWORKS:
        items = watched.value("emotions_batch_items_sum", network=network)
        assert items >= 2  # the detector may run twice per image
        assert 1 <= watched.value("emotions_batch_items_count", network=network) <= items
        assert watched.value("emotions_batch_limit_items", network=network) >= 1


def test_durations_of_stages(watched: Watched) -> None:
    found = {labels["stage"] for labels, _ in watched.samples["emotions_stage_seconds_count"]}
    assert found == STAGES
    assert watched.value("emotions_stage_seconds_count", stage="detect") >= 2
    assert watched.value("emotions_stage_seconds_count", stage="decode") >= 3
    assert watched.value("emotions_stage_seconds_sum", stage="detect") > 0


def test_queue_and_workers(watched: Watched) -> None:
    assert watched.value("emotions_queued_images") == 0
    assert watched.value("emotions_images_under_way") == 0
    assert watched.value("emotions_images_under_way_limit") == 512
    for network in NETWORKS:
        assert watched.value("emotions_ready", network=network) == 1
    workers = watched.value("emotions_workers")
    assert 1 <= watched.value("emotions_workers_ready") <= workers == cpu.available()
    # Several images may share one pass of a worker, so the sum of the stages can be longer.
    assert watched.value("emotions_worker_busy_seconds_total") > 0


def test_counters_of_failures_start_at_zero(watched: Watched) -> None:
    """A series that starts at 0 shows its first increase."""
    assert watched.value("emotions_runner_failures_total") == 0
    for reason in ("died", "hung"):
        assert watched.value("emotions_worker_restarts_total", reason=reason) == 0
    for reason in ("late", "gone"):
        assert watched.value("emotions_dropped_images_total", reason=reason) == 0


def test_rejected_requests_by_code(watched: Watched) -> None:
    refused = {
        labels["code"]: value
        for labels, value in watched.samples["emotions_refused_requests_total"]
    }
    assert refused == dict.fromkeys((kind.code for kind in kinds()), 0) | {
        "corrupt_image": 1,
        "unsupported_media": 1,
        "unauthorized": 1,
    }


def test_engine_and_plan_of_each_network(watched: Watched) -> None:
    models = {
        "detector": "retinaface-mnet025",
        "landmarks": "landmarks-64",
        "emotion": "emotion-fer48",
    }
    for network, model in models.items():
        (facts,) = (
            labels
            for labels, _ in watched.samples["emotions_engine_info"]
            if labels["network"] == network
        )
        assert facts["model"] == model
        assert {"engine", "plan", "precision"} <= facts.keys()
    assert watched.value("emotions_build_info", version="0.1.0") == 1


def test_usage_by_key(watched: Watched) -> None:
    assert watched.value("emotions_key_requests_total", key="pipeline", outcome="ok") == 1
    assert (
        watched.value("emotions_key_requests_total", key="pipeline", outcome="corrupt_image") == 1
    )
    assert watched.value("emotions_key_images_total", key="pipeline") == 3
    assert watched.value("emotions_key_received_bytes_total", key="pipeline") > 2 * len(ASTRONAUT)


def test_events_of_a_pool_are_counted() -> None:
    metrics = Metrics()
    observer = metrics.pool
    observer.networks_failed(2)
    observer.process_restarted("hung")
    observer.worker_answered(1.5)
    observer.worker_answered(0.25)
    observer.images_dropped("late", 2)
    observer.images_dropped("gone", 3)
    observer.batches_ran([Batch("detector", 4, 1.0, 2.0, 4.5)], [RequestStats(), None])
    samples = read_samples(metrics.render().decode())
    assert samples["emotions_runner_failures_total"] == [({}, 2)]
    assert samples["emotions_worker_busy_seconds_total"] == [({}, 1.75)]
    assert by_reason(samples["emotions_worker_restarts_total"]) == {"died": 0, "hung": 1}
    assert by_reason(samples["emotions_dropped_images_total"]) == {"late": 2, "gone": 3}
    assert samples["emotions_batch_items_sum"] == [({"network": "detector"}, 4)]
    assert samples["emotions_queue_seconds_sum"] == [({"network": "detector"}, 1.0)]
    assert samples["emotions_batch_seconds_sum"] == [({"network": "detector"}, 2.5)]


def by_reason(samples: list[tuple[dict[str, str], float]]) -> dict[str, float]:
    return {labels["reason"]: value for labels, value in samples}


def test_workers_and_queue_are_read_at_each_scrape() -> None:
    metrics, now = Metrics(), {"queued": 3, "ready": 1}
    metrics.pool.export_pool(queued=lambda: now["queued"], ready=lambda: now["ready"], workers=4)
    metrics.pool.export_network("landmarks", ready=lambda: now["ready"] > 0, max_batch=64)
    for queued, ready in ((3, 1), (0, 0)):
        now.update(queued=queued, ready=ready)
        samples = read_samples(metrics.render().decode())
        assert samples["emotions_queued_images"] == [({}, queued)]
        assert samples["emotions_workers_ready"] == [({}, ready)]
        assert samples["emotions_workers"] == [({}, 4)]
        assert samples["emotions_ready"] == [({"network": "landmarks"}, ready)]


async def test_unexpected_errors_are_counted_as_internal() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("inside")

    metrics = Metrics()
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError):
        await TelemetryMiddleware(broken, metrics, Tracing())(scope, nobody, nobody)
    samples = read_samples(metrics.render().decode())
    assert ({"code": "internal"}, 1) in samples["emotions_refused_requests_total"]
    assert samples["emotions_requests_total"] == [({"path": "other", "status": "500"}, 1)]


async def nobody(*_: object) -> Any:
    raise AssertionError("nobody is there")
