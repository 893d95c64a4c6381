"""Images that were on a device when it ended, and the devices that do not come back."""

from collections.abc import Sequence
from itertools import cycle

from analysis.workers.types import Group

# Interval of the pool's sweeps.
SWEEP_S = 0.25
# A device without a ready worker for this many sweeps, which are 5 s, may be lost. Its images wait
# no longer for it, since they have a deadline.
PATIENCE = 20


def move_suspects(groups: Sequence[Group]) -> None:
    """Divide the suspects of absent devices among groups with ready workers; call it at each sweep.

    Until then they wait for their own device: an image that ends devices should not end others.
    """
    hosts = [group for group in groups if group.ready]
    for group in groups:
        group.absent = 0 if group.ready else group.absent + 1
        if hosts and group.absent >= PATIENCE:
            for job, host in zip(group.suspects, cycle(hosts), strict=False):
                host.suspects.append(job)
            group.suspects.clear()
