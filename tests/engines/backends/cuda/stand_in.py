"""ONNX Runtime's CPU provider, which stands for the GPU's, and a plan of it."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import onnxruntime as ort
import pytest

from engines.backends.cuda.engine import CudaEngine
from engines.backends.cuda.library import CUDA, Provider
from engines.errors import EngineError
from engines.gpus import Gpu
from engines.types import Feeds
from tests.engines.graphs import photographed, spec_of

CPU = Provider("CPUExecutionProvider", "Cpu")
L4 = Gpu("GPU-aa1", "NVIDIA L4", "8.9", 24 << 30)
T4 = Gpu("GPU-bb1", "Tesla T4", "7.5", 16 << 30)
LANDMARKS = msgspec.structs.replace(spec_of("landmarks-64"), batches=(1, 4))
FACES = photographed(LANDMARKS)
MIB = 1 << 20


def has_gpu() -> bool:
    """Return whether the real provider can run here."""
    try:
        CudaEngine.load()
    except EngineError:
        return False
    return True


HAS_GPU = has_gpu()
with_gpu = pytest.mark.skipif(not HAS_GPU, reason="there is no GPU, or no onnxruntime-gpu")
without_gpu = pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
for_cpus = pytest.mark.skipif(
    CUDA.name in ort.get_available_providers(), reason="onnxruntime-gpu is installed"
)


def faces(rows: int) -> Feeds:
    return {"faces": np.resize(FACES, (rows, *FACES.shape[1:]))}


class Node(NamedTuple):
    op_type: str


class Group(NamedTuple):
    """Nodes of a graph, and the provider that runs them."""

    ep_name: str
    nodes: Sequence[Node]

    def get_nodes(self) -> Sequence[Node]:
        return self.nodes


class OnGpu(ort.InferenceSession):  # type: ignore[misc]  # it has no types
    """A session on the CPU that reports all of its layers but `stray` as the GPU's."""

    made: ClassVar[list["OnGpu"]] = []
    stray = 0

    def __init__(
        self,
        plan: bytes,
        options: ort.SessionOptions,
        providers: Sequence[tuple[str, dict[str, Any]]],
        **others: Any,
    ) -> None:
        super().__init__(plan, options, [CPU.name])
        self.chosen, self.others = dict(providers), others
        OnGpu.made.append(self)

    def get_provider_graph_assignment_info(self) -> list[Group]:
        real = super().get_provider_graph_assignment_info()
        nodes = [Node(node.op_type) for group in real for node in group.get_nodes()]
        layers = [node for node in nodes if node.op_type == "Conv"]
        others = [node for node in nodes if node.op_type != "Conv"]
        return [
            Group(CUDA.name, layers[self.stray :]),
            Group(CPU.name, layers[: self.stray] + others),
        ]
