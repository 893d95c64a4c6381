"""How many images per second a host analyzes, and what limits it: one pure function.

Each resource has a rate; the host runs at the lowest. Queues, bursts and contention of processes
are not included: a real host is slower.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from bench.fakes.device import Cost
from bench.hosts.costs import Costs
from bench.hosts.machines import T4, Host

GIGA, MS = 1e9, 1000
# Where JPEGs are decoded. With "GPU, letterbox", which is not built, the pixels stay on the GPU.
Where = Literal["CPU", "GPU", "GPU, letterbox"]
WHERE: tuple[Where, ...] = ("CPU", "GPU", "GPU, letterbox")
# Requests of a worker per image: detector, landmarks, emotion. Decoding on the GPU is one more.
NETWORKS = 3
# Inputs of the other networks, and what the detector returns: 1000 candidates of 15 numbers.
FACE_BYTES = 3 * 64 * 64 + 48 * 48
ANSWER_BYTES = 1000 * 15 * 4
SMALLEST = 640**2
CPU, HTTP, PYTHON, GPU, ENGINE, PCIE = (
    "CPU cores",
    "HTTP processes",
    "device process",
    "GPU",
    "JPEG decoder",
    "PCIe",
)


class Assumptions(NamedTuple):
    """Values that are neither measured nor published; each is an option of the command.

    core_speed: of a vCPU, relative to a core of the measured machine; http_processes: 0 stands for
    as many as needed; images_per_batch: of a network on a busy GPU; cuda_ms: CPU time per batch for
    copies to and from the GPU and to start a graph; share: see `Measured`; gpu_ms: times of the
    known GPU; known: its `resnet50`.
    """

    decoding: Where = "CPU"
    core_speed: float = 1.0
    http_processes: int = 0
    images_per_batch: int = 16
    cuda_ms: float = 0.05
    share: float = 1.0
    gpu_ms: Cost = Cost()
    known: float = T4.resnet50


def limits(host: Host, costs: Costs, given: Assumptions) -> dict[str, float]:
    """Images per second of each resource of the host, as if all others were unlimited."""
    worker, device = worker_ms(costs, given), device_ms(costs, given)
    all_ms = costs.http_ms + worker + device
    found = {
        CPU: host.cores * given.core_speed * MS / all_ms,
        PYTHON: host.gpus * given.core_speed * MS / device,
        GPU: host.gpus * MS / gpu_ms(host, costs, given) * given.share,
        PCIE: host.gpus * host.gpu.pcie * GIGA / pcie_bytes(costs, given),
    }
    if given.http_processes:
        found[HTTP] = given.http_processes * given.core_speed * MS / costs.http_ms
    if given.decoding != "CPU" and host.gpu.engines:
        found[ENGINE] = host.gpus * host.gpu.jpeg_pixels * GIGA / _pixels(costs)
    return found


def narrowest(found: Mapping[str, float]) -> tuple[str, float]:
    """The resource that limits the host, and the images per second that it allows."""
    return min(found.items(), key=lambda item: item[1])


def worker_ms(costs: Costs, given: Assumptions) -> float:
    """CPU time of a worker per image."""
    match given.decoding:
        case "CPU":
            return costs.worker_ms
        case "GPU":
            return costs.worker_ms - costs.decode_ms + costs.front_ms
        case _:
            return costs.worker_ms - costs.decode_ms - costs.letterbox_ms


def device_ms(costs: Costs, given: Assumptions) -> float:
    """CPU time of the device process per image; its Python runs one thread at a time."""
    decodes = given.decoding == "GPU"
    requests = NETWORKS + decodes
    cuda_ms = requests * given.cuda_ms / given.images_per_batch
    return costs.device_ms * requests / NETWORKS + cuda_ms + decodes * costs.copy_ms


def gpu_ms(host: Host, costs: Costs, given: Assumptions) -> float:
    """Time of the GPU per image: of the networks, and of decoding without a JPEG engine."""
    images, cost = given.images_per_batch, given.gpu_ms
    rows = images * costs.input_pixels / SMALLEST
    total = cost.milliseconds("detector", rows)
    if costs.faces:
        total += cost.milliseconds("landmarks", images * costs.faces)
        total += cost.milliseconds("emotion", images * costs.faces)
    networks = total / images * given.known / host.gpu.resnet50
    decodes = given.decoding != "CPU" and not host.gpu.engines
    return networks + (MS * _pixels(costs) / (host.gpu.jpeg_pixels * GIGA) if decodes else 0.0)


def pcie_bytes(costs: Costs, given: Assumptions) -> float:
    """Bytes per image over PCIe, both directions: files, decoded pixels, rows and answers."""
    rows = 3 * costs.input_pixels + costs.faces * FACE_BYTES
    match given.decoding:
        case "CPU":
            return rows + ANSWER_BYTES
        case "GPU":
            return costs.jpeg_bytes + costs.pixel_bytes + rows + ANSWER_BYTES
        case _:
            return costs.jpeg_bytes + ANSWER_BYTES


def http_processes(rate: float, costs: Costs, given: Assumptions) -> int:
    """How many HTTP processes `rate` images per second need."""
    return math.ceil(rate * costs.http_ms / MS / given.core_speed)


def _pixels(costs: Costs) -> int:
    return costs.width * costs.height
