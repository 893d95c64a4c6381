"""The tables of `python -m bench.hosts`."""

from collections.abc import Iterator, Mapping, Sequence

from bench.hosts import model
from bench.hosts.costs import Costs, Measured
from bench.hosts.machines import Host
from bench.hosts.model import Assumptions
from bench.measure.output import header, row

HEAD = header(
    "host | vCPUs, GPUs | "
    + " | ".join(f"decoding: {where}" for where in model.WHERE)
    + " | HTTP processes"
)
PARTS = header(
    "image | HTTP process | worker | of it decoding | instead, if the GPU decodes | "
    "of it letterbox | device process | device process, one client | JPEG, kB"
)


def report(hosts: Sequence[Host], measured: Measured, given: Assumptions) -> Iterator[str]:
    """Yield the measured costs, and a table of all hosts for each kind of image."""
    yield f"CPU ms per image ({measured.machine}):\n"
    yield PARTS
    for name, costs in measured.costs.items():
        yield row(
            name,
            f"{costs.http_ms:.2f}",
            f"{costs.worker_ms:.2f}",
            f"{costs.decode_ms:.2f}",
            f"{costs.front_ms:.2f}",
            f"{costs.letterbox_ms:.2f}",
            f"{costs.device_ms:.2f}",
            f"{costs.alone_ms:.2f}",
            f"{costs.jpeg_bytes / 1000:.0f}",
        )
    for name, costs in measured.costs.items():
        yield f"\n{name}:\n"
        yield HEAD
        yield from (line(host, costs, given) for host in hosts)


def line(host: Host, costs: Costs, given: Assumptions) -> str:
    """One host as a line of the table; last, the HTTP processes for its highest rate."""
    found = [model.limits(host, costs, given._replace(decoding=where)) for where in model.WHERE]
    highest = max(rate for _, rate in map(model.narrowest, found))
    return row(
        host.name,
        f"{host.cores}, {host.gpus} {host.gpu.name}",
        *map(_cell, found),
        model.http_processes(highest, costs, given),
    )


def _cell(limits: Mapping[str, float]) -> str:
    """The lowest rate with its resource, and the second-lowest."""
    limit, rate = model.narrowest(limits)
    next_limit, next_rate = model.narrowest({k: v for k, v in limits.items() if k != limit})
    return f"**{rate:,.0f}** {limit}; {next_rate:,.0f} {next_limit}"
