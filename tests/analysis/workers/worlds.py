"""Pools whose processes are ready, and what their images got."""

from analysis.types import Result
from tests.analysis.workers.fake_processes import Image
from tests.analysis.workers.world import World


def opened(devices: tuple[int, ...] = (), alone: int = 0, images_per_worker: int = 4) -> World:
    world = World(devices, alone, images_per_worker)
    world.open_all()
    return world


def outcomes(*images: Image) -> list[type]:
    """The type of the analysis or of the error of each image."""
    found = []
    for image in images:
        (answer,) = image.answers
        found.append(type(answer.outcome) if isinstance(answer, Result) else type(answer))
    return found
