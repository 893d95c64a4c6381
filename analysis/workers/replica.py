"""Which of several HTTP processes on one port this is, and the sockets that all of them share."""

from collections.abc import Sequence
from socket import SOCK_STREAM, socket
from typing import NamedTuple

from analysis.workers.members import listen


class Replica(NamedTuple):
    """One of `processes` HTTP processes.

    `devices`: listeners of the device processes, which replica 0 starts. `metrics`: one listener
    per replica, at which the others read its metrics.
    """

    number: int = 0
    processes: int = 1
    devices: Sequence[socket] = ()
    metrics: Sequence[socket] = ()

    def part_of(self, total: int) -> int:
        """This replica's part of `total`: at least 1, unless `total` is 0."""
        return -(-total // self.processes)


def replicas(count: int, devices: int) -> list[Replica]:
    """Return `count` replicas that share `devices` device processes."""
    for_devices = [listen() for _ in range(devices)]
    for_metrics = [listen(SOCK_STREAM) for _ in range(count)]
    return [Replica(number, count, for_devices, for_metrics) for number in range(count)]
