"""The limit and the service in turns, for one kind of request."""

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from bench.limit import Limit, images_a_second
from bench.load import EVERYTHING, Result, closed_loop, open_loop, requests
from bench.processes import Usage, watching
from bench.scenes import MIXED, scene
from bench.scrape import mean_items, scrape
from bench.serving import Serving
from bench.wire import run
from service.settings import Settings

CLIENTS = 32
LOAD_SHARE = 0.7
WARM_UP_S = 2.0


class Round(NamedTuple):
    """The limit; one client, many, and many at random moments.

    What was used, and the mean items a batch of each network, are of `many`.
    """

    limit: Limit
    one: Result
    many: Result
    steady: Result
    used: Usage
    batches: dict[str, float]

    @property
    def share(self) -> float:
        """Throughput over the limit."""
        return self.many.rate / self.limit.images

    @property
    def cpu_ms(self) -> float:
        """The server's CPU milliseconds for an image."""
        return 1000 * self.used.cpu_s / max(1, self.many.sent - self.many.failed)

    @property
    def client_ms(self) -> float:
        """The client's, on the same cores."""
        return 1000 * self.many.cpu_s / max(1, self.many.sent)

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return self.one.failed + self.many.failed + self.steady.failed


def measured(
    server: Serving, name: str, settings: Settings, *, rounds: int, seconds: float
) -> Iterator[Round]:
    """Yield rounds with a scene, or with all in all forms; the server must be fresh."""
    calls = requests(name)
    run(closed_loop(server.url, calls, CLIENTS, min(seconds, WARM_UP_S)))
    for _ in range(rounds):
        limit = limit_of(name, settings, seconds)
        yield Round(limit, *_load(server, calls, seconds))


def limit_of(name: str, settings: Settings, seconds: float) -> Limit:
    """Images a second with no HTTP; of several scenes in turns, from the mean time of each."""
    names = list(MIXED) if name == EVERYTHING else [name]
    each = [images_a_second(settings, scene(name), seconds / len(names)) for name in names]
    return Limit(
        *(len(names) / sum(1 / rate for rate in rates) for rates in zip(*each, strict=True))
    )


def _load(
    server: Serving, calls: list[bytes], seconds: float
) -> tuple[Result, Result, Result, Usage, dict[str, float]]:
    one = run(closed_loop(server.url, calls, 1, seconds))
    before = scrape(server.url)
    with watching(server.pid) as used:
        many = run(closed_loop(server.url, calls, CLIENTS, seconds))
    batches = mean_items(before, scrape(server.url))
    steady = run(open_loop(server.url, calls, LOAD_SHARE * many.rate, seconds))
    return one, many, steady, used, batches


def quantiles(results: list[Result]) -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds: medians of the rounds'."""
    p50, p95, p99 = (median(each.quantile(q) for each in results) for q in (0.5, 0.95, 0.99))
    return p50, p95, p99
