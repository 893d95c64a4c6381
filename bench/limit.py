"""The most that this machine can do: the service's own work in a plain loop, with no HTTP.

A thread a core answers one image after the other; nothing waits and nothing is shared.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from bench.work import Work
from engines import cores
from service.settings import Settings
from service.startup import Models


def images_a_second(settings: Settings, models: Models, body: bytes, seconds: float) -> float:
    """Rate over all cores for one JPEG, again and again."""
    workers = settings.workers or cores.available()
    barrier = threading.Barrier(workers)

    def worker() -> float:
        with Work.of(settings, models) as work:
            work.answer(body)
            barrier.wait()
            count, started = 0, time.perf_counter()
            while time.perf_counter() < started + seconds:
                work.answer(body)
                count += 1
            return count / (time.perf_counter() - started)

    with ThreadPoolExecutor(workers) as pool:
        return sum(each.result() for each in [pool.submit(worker) for _ in range(workers)])
