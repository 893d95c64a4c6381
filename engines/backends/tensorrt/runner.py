"""A TensorRT plan on one GPU, with the batch sizes for which there is memory."""

import logging
import traceback
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from engines.backends.tensorrt.cuda import Cuda
from engines.backends.tensorrt.device import Device
from engines.backends.tensorrt.library import Library, reasons_of
from engines.backends.tensorrt.memory import layouts
from engines.backends.tensorrt.overlap import overlapped
from engines.backends.tensorrt.plan import LoadedPlan
from engines.backends.tensorrt.recovery import Recovery
from engines.backends.tensorrt.session import Session
from engines.batches import joined
from engines.catalog import ModelSpec
from engines.errors import GpuMemoryError
from engines.memory import Budget, mib
from engines.pieces import pieces
from engines.types import Array, Feeds, Runner

log = logging.getLogger("emotions.tensorrt")


class TensorRTRunner(Runner):
    """Runs batches in pieces of the plan's batch sizes, on `streams` streams in turn.

    Batch sizes for which there is no memory are left out. After an error of the device the runner
    is unusable; opening another resets the GPU's context if it is broken.

    sizes: the batch sizes, rising; memory: GPU memory of weights and batches, in bytes.
    """

    def __init__(
        self,
        library: Library,
        cuda: Cuda,
        plan: Path,
        spec: ModelSpec,
        *,
        budget: Budget,
        recovery: Recovery,
        streams: int = 2,
        graphs: bool = True,
    ) -> None:
        self._library, self._cuda, self._budget = library, cuda, budget
        self._path, self._spec = plan, spec
        self._streams, self._graphs = streams, graphs
        self.sizes, self.memory = spec.batches, 0
        recovery.run(cuda, self._open)
        log.info(
            "network.opened: %s, batches of %s, %s MiB of GPU memory",
            *(spec.name, ", ".join(map(str, self.sizes)), mib(self.memory)),
        )

    def _open(self) -> None:
        reasons_of(self._library).out_of_memory = ""
        with ExitStack() as stack:
            device = stack.enter_context(closing(Device(self._cuda)))
            device.probe()  # in a broken context TensorRT fails to load a plan without a reason
            plan = stack.enter_context(
                closing(LoadedPlan(self._library, device, self._budget, self._path, self._spec))
            )
            try:
                self._sessions = self._fitting(stack, device, plan)
            except BaseException as error:
                # Its frames refer to TensorRT's objects, which own memory of the GPU.
                traceback.clear_frames(error.__traceback__)
                raise
            self._stack = stack.pop_all()

    def _fitting(self, stack: ExitStack, device: Device, plan: LoadedPlan) -> list[Session]:
        """Open sessions with the batch sizes for which there is memory.

        The known needs decide. CUDA may still find too little, if another program has taken memory
        since, or if TensorRT or a kernel needs more. Then the largest batch size is left out.

        Raises:
            GpuMemoryError: there is too little for the smallest batch size.
        """
        self.sizes = self._spec.batches
        while True:
            try:
                return self._sessions_of(stack, device, plan)
            except GpuMemoryError as error:
                if len(self.sizes) == 1:
                    raise
                text = str(error)
            *rest, left_out = self.sizes
            self.sizes = tuple(rest)
            log.warning("memory.short: %s without batch %d: %s", self._spec.name, left_out, text)

    def _sessions_of(self, stack: ExitStack, device: Device, plan: LoadedPlan) -> list[Session]:
        candidates = layouts(plan.engine, plan.tensors, self.sizes)
        needs = [self._streams * layout.total for layout in candidates]
        with ExitStack() as opened:
            with self._budget.reserve(needs, device.free) as chosen, ExitStack() as allocated:
                layout = candidates[chosen]
                self.sizes = layout.sizes
                sessions = [
                    allocated.enter_context(closing(Session(self._library, device, plan, layout)))
                    for _ in range(self._streams)
                ]
                kept = allocated.pop_all()
            opened.callback(self._budget.release, needs[chosen])
            opened.push(kept)
            for session in sessions:
                session.prepare(graphs=self._graphs)
            stack.push(opened.pop_all())
        self.memory = plan.size + needs[chosen]
        return sessions

    @property
    def graphs(self) -> int:
        """Number of CUDA graphs of all streams together."""
        return sum(session.captured for session in self._sessions)

    def infer(self, feeds: Feeds) -> dict[str, Array]:
        """Run a batch; see `Runner.infer`."""
        rows = len(next(iter(feeds.values())))
        return joined(overlapped(self._sessions, pieces(rows, self.sizes), feeds))

    def input_buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """See `engines.types.InputBuffer`; rows that fit one batch are written to pinned memory."""
        if shape[0] > self.sizes[-1]:
            return np.empty(shape, dtype)
        return self._sessions[0].input_buffer(shape[0])

    def compute(self, size: int) -> None:
        """Run a batch size on the current content of its buffers, to measure the engine alone."""
        self._sessions[0].compute(size)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        traceback.clear_frames(trace)  # as in `_open`
        self._stack.close()
