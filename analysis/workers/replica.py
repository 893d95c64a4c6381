"""One of several HTTP processes that share a port, and the sockets that all of them share."""

from collections.abc import Sequence
from socket import SOCK_STREAM, socket
from typing import NamedTuple

from analysis.workers.sockets import listen


class Replica(NamedTuple):
    """One of `processes` HTTP processes, numbered from 0.

    device_listeners: one per device process; replica 0 starts these processes, and the workers of
    all replicas connect to them. metrics_listeners: one per replica, where the other replicas read
    its metrics.
    """

    number: int = 0
    processes: int = 1
    device_listeners: Sequence[socket] = ()
    metrics_listeners: Sequence[socket] = ()

    def part_of(self, total: int) -> int:
        """Return this replica's part of `total`, rounded up."""
        return -(-total // self.processes)


def replicas(count: int, devices: int) -> list[Replica]:
    """Return `count` replicas that share `devices` device processes."""
    for_devices = [listen() for _ in range(devices)]
    for_metrics = [listen(SOCK_STREAM) for _ in range(count)]
    return [Replica(number, count, for_devices, for_metrics) for number in range(count)]
