"""Batch sizes of a running service, from its `/metrics`."""

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from bench.load.client import fetch, request

FAMILY = "emotions_batch_items"


class Batches(NamedTuple):
    """Items and batches that a network has run since the service started."""

    items: float
    batches: float


def scrape(url: str) -> dict[str, Batches]:
    """Current counts by network.

    Raises:
        RuntimeError: the service at `url` has no metrics.
    """
    reply = fetch(url, request(path="/metrics", method="GET"))
    if reply.status != 200:
        raise RuntimeError(f"no metrics from {url}: {reply.error or reply.status}")
    counts: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(reply.body.decode()):
        for sample in family.samples if family.name == FAMILY else ():
            network = counts.setdefault(sample.labels["network"], {})
            network[sample.name.removeprefix(f"{FAMILY}_")] = sample.value
    return {name: Batches(each["sum"], each["count"]) for name, each in counts.items()}


def mean_items(before: dict[str, Batches], after: dict[str, Batches]) -> dict[str, float]:
    """Items per batch between two scrapes, for each network that ran."""
    means: dict[str, float] = {}
    for network, (items, batches) in after.items():
        earlier = before.get(network, Batches(0, 0))
        if batches > earlier.batches:
            means[network] = (items - earlier.items) / (batches - earlier.batches)
    return means
