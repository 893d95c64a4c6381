"""The topologies of a pipeline, which must all give the same results."""

from typing import Any, Literal

import pytest

Topology = Literal["threads", "processes", "device"]
# Arguments of `Settings`: workers in threads of the service, workers in processes, and workers in
# front of a device process.
TOPOLOGIES: dict[Topology, dict[str, Any]] = {
    "threads": {"isolate": False},
    "processes": {"device_process": False},
    "device": {"device_process": True},
}
# The topologies with processes.
BOTH: tuple[Topology, ...] = ("processes", "device")
everywhere = pytest.mark.parametrize("topology", BOTH)


def environment(topology: Topology) -> Any:
    """Return the settings as text, for `tests.server.serving`."""
    return {name: str(value).lower() for name, value in TOPOLOGIES[topology].items()}
