"""Measures `Costs` on this machine: the real service with fake networks.

CPU time is counted per process: it depends less on other work than elapsed time does.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import NamedTuple

import numpy as np

from analysis.decode import open_picture
from analysis.detection import fill
from analysis.jpegs.select import load_decoder
from bench.fakes.device import Cost
from bench.gpu import decoding
from bench.gpu.day import STAND_IN_DECODER
from bench.gpu.decoder_alone import served
from bench.host.rounds import EIGHT_FACES, ROWS
from bench.hosts.costs import Costs, Measured
from bench.inputs.scenes import ONE_FACE, scene
from bench.limit.work import Work
from bench.load.client import run
from bench.load.loops import closed_loop
from bench.load.mix import requests
from bench.load.result import middle
from bench.measure.output import machine
from bench.measure.processes import command, gone, tree
from bench.measure.service import Serving, serving, warm_up
from service.factory import find_models
from service.settings import Settings

SCENES = (ONE_FACE, EIGHT_FACES, "1920x1080, 5 faces")
HTTP, WORKER, DEVICE = "http", "worker", "device"
KINDS = {"analysis.workers.worker": WORKER, "analysis.workers.device": DEVICE}
REPEATS = 20
# The rate of the simulated device, as a share of the host's: see `bench.host`.
HOST_SHARE = 0.5


class Procedure(NamedTuple):
    """How to measure: seconds per load, rounds, clients."""

    seconds: float
    rounds: int
    clients: int


class Load(NamedTuple):
    """CPU milliseconds per image by kind of process, and images per second."""

    ms: dict[str, float]
    rate: float


def measure(procedure: Procedure) -> Measured:
    """Measure all scenes; each figure is the median of the rounds."""
    settings = Settings().model_copy(update={"device_process": True})
    with Work(settings, find_models(settings), device=True) as work:
        costs = {name: _costs(name, work, procedure) for name in SCENES}
    return Measured(f"{machine()}; medians of {procedure.rounds} rounds", _share(procedure), costs)


def _share(procedure: Procedure) -> float:
    """The share that the service reaches of a simulated device's rate."""
    (full,) = _loads("instant:1", ONE_FACE, procedure, (procedure.clients,))
    best = HOST_SHARE * middle(full, lambda each: each.rate)
    cost = Cost().with_best_rate(best, procedure.clients, faces=1)
    engine = f"simulated:{cost.batch_ms:.4f},{cost.row_ms:.4f},1"
    (slow,) = _loads(engine, ONE_FACE, procedure, (procedure.clients,))
    return round(middle(slow, lambda each: each.rate) / best, 3)


def _costs(name: str, work: Work, procedure: Procedure) -> Costs:
    photograph, faces = ROWS[name]
    body = scene(photograph)
    full, alone = _loads(f"instant:{faces}", photograph, procedure, (procedure.clients, 1))
    image = work.decode(body)
    pixels, out = image.picture.pixels, np.empty(image.shape, np.uint8)
    return Costs(
        width=image.picture.width,
        height=image.picture.height,
        faces=faces,
        input_pixels=math.prod(image.shape[:2]),
        jpeg_bytes=len(body),
        http_ms=_ms(full, HTTP),
        worker_ms=_ms(full, WORKER),
        decode_ms=round(cpu_ms(lambda: work.decode(body), procedure.rounds), 3),
        front_ms=front_ms(body, procedure.rounds),
        letterbox_ms=round(cpu_ms(lambda: fill(pixels, image.letterbox, out), procedure.rounds), 3),
        copy_ms=round(cpu_ms(pixels.copy, procedure.rounds), 3),
        device_ms=_ms(full, DEVICE),
        alone_ms=_ms(alone, DEVICE),
    )


def _ms(loads: Sequence[Load], kind: str) -> float:
    return round(middle(loads, lambda each: each.ms[kind]), 3)


def front_ms(body: bytes, rounds: int) -> float:
    """CPU milliseconds of a worker in front of a decoder: the least of the rounds.

    The decoder is nvImageCodec's for CPUs. It runs in another thread, which is not counted, but
    disturbs this one.

    Raises:
        EngineError: nvImageCodec is not installed.
    """
    load_decoder(STAND_IN_DECODER)
    with served(STAND_IN_DECODER) as decoder:
        opened = partial(open_picture, body, decoding.LIMITS, decoder=decoder)
        return round(min(decoding.cpu_ms(opened) for _ in range(rounds)), 3)


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """CPU milliseconds of a call: the median over the rounds."""
    times = []
    for _ in range(rounds + 1):  # the first round is a warm-up
        started = time.process_time()
        for _ in range(REPEATS):
            work()
        times.append(1000 * (time.process_time() - started) / REPEATS)
    return median(times[1:])


def _loads(
    engine: str, photograph: str, procedure: Procedure, clients: Sequence[int]
) -> list[list[Load]]:
    """The rounds of a load for each number of clients; each round has a new server."""
    calls, rounds = requests(photograph), []
    for _ in range(procedure.rounds):
        with serving(engine=f"bench.fakes:{engine}", device_process="true") as server:
            warm_up(server.url, calls, procedure.clients, procedure.seconds)
            rounds.append([_load(server, calls, count, procedure.seconds) for count in clients])
    return [list(loads) for loads in zip(*rounds, strict=True)]


def _load(server: Serving, calls: Sequence[bytes], clients: int, seconds: float) -> Load:
    before = _cpu_seconds(server.pid)
    load = run(closed_loop(server.url, calls, clients, seconds))
    used = _cpu_seconds(server.pid)
    return Load({k: 1000 * (used[k] - before[k]) / load.sent for k in used}, load.rate)


def _cpu_seconds(pid: int) -> Counter[str]:
    """CPU seconds of the service's processes by kind."""
    found: Counter[str] = Counter()
    for process in tree(pid):
        started_as = command(process.pid)
        kind = next((name for module, name in KINDS.items() if module in started_as), HTTP)
        with gone:
            found[kind] += sum(process.cpu_times()[:2])
    return found
