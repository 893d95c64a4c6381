"""Stage `jpegs`: rates of the service with decoding on the GPU, and damaged and hostile files."""

import random
from collections.abc import Iterator

from bench.gpu.day import Day, running, service_settings, usable
from bench.gpu.load import under_load
from bench.gpu.results import Figure, Finding, Problem
from bench.load.client import Connection, run
from bench.load.mix import Call, mix


def jpegs(day: Day) -> Iterator[Finding]:
    """Yield the figures of `load` with decoding on the GPU, and wrong answers to bad files."""
    for engine in usable(day):
        given = service_settings(day, engine) | {"jpeg_decoder": day.jpeg_decoder}
        with running(given) as server:
            yield from under_load(day, engine.name, server)
            calls = mix(random.Random(0))  # noqa: S311  (the order of requests)
            wrong = run(wrong_answers(server.url, calls))
        name = f"{engine.name}, good and bad files"
        yield Figure(name, {"requests": float(len(calls)), "wrong": float(len(wrong))})
        if wrong:
            yield Problem(f"{name}: {'; '.join(wrong)}")


async def wrong_answers(url: str, calls: list[Call]) -> list[str]:
    """Send each request once; return the answers whose status is not the expected one."""
    connection, wrong = Connection(url), []
    for call in calls:
        reply = await connection.send(call.content)
        if reply.status != call.status:
            wrong.append(f"{reply.error or reply.status} instead of {call.status}")
    connection.close()
    return wrong
