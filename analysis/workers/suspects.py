"""What happens to images that were on a device when it ended, if the device does not come back."""

from collections.abc import Sequence
from itertools import cycle

from analysis.workers.types import Group

# Interval of the pool's sweeps.
SWEEP_S = 0.25
# A device may be lost if it has had no ready worker for this many sweeps (5 s). Its images then run
# on other devices, since they have a deadline.
PATIENCE = 20


def move_suspects(groups: Sequence[Group]) -> None:
    """Divide the suspects of absent devices among groups with ready workers; call it at each sweep.

    Before, they wait for their own device, because an image that ended it could end others, too.
    """
    hosts = [group for group in groups if group.ready]
    for group in groups:
        group.absent = 0 if group.ready else group.absent + 1
        if hosts and group.absent >= PATIENCE:
            for job, host in zip(group.suspects, cycle(hosts), strict=False):
                host.suspects.append(job)
            group.suspects.clear()
