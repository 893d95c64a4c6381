"""One image that waits for a worker, or is with one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from analysis.errors import InferenceError, ServiceError, ShuttingDownError
from analysis.types import Input, Result

Done = Callable[[Result | ServiceError], None]


@dataclass(slots=True, eq=False)
class Job:
    """An image, its deadline, and the callback for its result.

    deadline, queued: seconds on `time.monotonic`'s clock; owner: passed on to the observers.
    `alone` is set when a worker ended while it had the image: no other image is sent with it
    then. `suspect` is set when a device ended while it had the image: the image then runs on a
    device while no other image does. Set `cancelled` when nobody waits for the result any more.
    """

    input: Input
    deadline: float
    done: Done
    owner: object = None
    queued: float = field(default_factory=time.monotonic)
    alone: bool = False
    suspect: bool = False
    cancelled: bool = False

    def accuse(self) -> None:
        """Make the image a suspect; the CPU decodes it from now on."""
        self.suspect, self.input = True, self.input._replace(trusted=False)

    def finish(self, outcome: Result | ServiceError) -> None:
        """Call back with the outcome, unless the job is cancelled."""
        if not self.cancelled:
            self.done(outcome)

    def fail(self) -> None:
        """Finish with the error that no engine can analyze this image."""
        self.finish(InferenceError("the engine failed on this image"))

    def reject(self) -> None:
        """Finish with the error that no worker will analyze this image."""
        self.finish(ShuttingDownError("the service is stopping; send the request again"))
