"""The pipeline behind Ray's handle, with replicas that are busy, slow, or about to end."""

import asyncio
import time
from collections.abc import Generator
from typing import Any

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError

from analysis.errors import (
    CorruptImageError,
    OverloadedError,
    ServiceError,
    ShuttingDownError,
    kinds,
)
from analysis.timing import Sample
from analysis.types import Options, Result
from emotions.ray import metrics
from emotions.ray.pipeline import RemotePipeline

CORRUPT = Result(CorruptImageError("cut off"), [Sample("queue", -3, -2), Sample("decode", -2, -1)])
STOPPING = Result(ShuttingDownError("the service is stopping"), [])
DIED, UNREACHABLE = ActorDiedError(), ActorUnavailableError("gone", None)


class Response:
    """What a call returns: an answer, an error, or neither."""

    def __init__(self, outcome: Result | Exception | None) -> None:
        self._outcome = outcome
        self.cancelled = False

    def __await__(self) -> Generator[Any, None, Result]:
        if self._outcome is None:
            yield from asyncio.sleep(1000).__await__()
        if isinstance(self._outcome, Result):
            return self._outcome
        raise self._outcome or AssertionError

    def cancel(self) -> None:
        self.cancelled = True


class Handle:
    """A deployment whose calls have these outcomes, one after the other."""

    def __init__(self, *outcomes: Result | Exception | None) -> None:
        self.analyze = self
        self.responses = [Response(outcome) for outcome in outcomes]
        self.seconds: list[float] = []

    def remote(self, source: bytes, options: Options, seconds: float) -> Response:
        assert (source, options) == (b"image", Options())
        self.seconds.append(seconds)
        return self.responses[len(self.seconds) - 1]


async def analyze(handle: Handle, seconds: float = 9.0) -> Result:
    pipeline = RemotePipeline(handle, ["detector"], 1)
    return await pipeline.analyze(b"image", Options(), time.monotonic() + seconds)


@pytest.mark.parametrize("lost", [DIED, UNREACHABLE, STOPPING])
async def test_an_image_of_a_lost_replica_is_analyzed_by_another(lost: Result | Exception) -> None:
    handle = Handle(lost, CORRUPT)
    assert (await analyze(handle)).outcome is CORRUPT.outcome
    first, second = handle.seconds
    assert 0 < second <= first <= 9.0


@pytest.mark.parametrize("lost", [DIED, UNREACHABLE, STOPPING])
async def test_an_image_whose_second_replica_is_lost_too_is_refused(
    lost: Result | Exception,
) -> None:
    with pytest.raises(OverloadedError, match="send the request again") as refused:
        await analyze(Handle(DIED, lost))
    assert refused.value.headers["Retry-After"] == "1"


@pytest.mark.parametrize("full", [BackPressureError(9, 9), DeploymentUnavailableError("Analysis")])
async def test_full_replicas_refuse(full: Exception) -> None:
    with pytest.raises(OverloadedError, match="all replicas are busy"):
        await analyze(Handle(full))


async def test_work_that_nobody_waits_for_is_cancelled_in_the_replica() -> None:
    handle = Handle(None)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(analyze(handle), 0.01)
    assert handle.responses[0].cancelled


async def test_the_stages_of_another_machine_end_when_the_answer_comes() -> None:
    """The wait for a replica is a part of the wait for a worker."""
    began = time.monotonic()
    queue, decode = (await analyze(Handle(CORRUPT))).samples
    assert began <= queue.started <= time.monotonic()
    assert (queue.ended, decode.ended - decode.started) == (decode.started, 1)
    assert decode.ended == pytest.approx(time.monotonic() - 1, abs=1)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_crosses_to_another_process(kind: type[ServiceError]) -> None:
    from ray import cloudpickle  # noqa: PLC0415

    error = cloudpickle.loads(cloudpickle.dumps(kind("a message")))
    assert (type(error), str(error)) == (kind, "a message")


def test_the_metrics_of_each_replica_have_its_name() -> None:
    texts = {
        "a": '# TYPE x_total counter\nx_total{y="1"} 1.0\n',
        "b": '# TYPE x_total counter\nx_total{y="1"} 2.0\n',
    }
    joined = metrics.labelled(texts.items()).decode()
    assert 'x_total{replica="a",y="1"} 1.0' in joined
    assert 'x_total{replica="b",y="1"} 2.0' in joined
    assert joined.count("# TYPE") == 1
