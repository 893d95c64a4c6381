"""OpenVINO on the CPU: faster than ONNX Runtime, above all on CPUs with bfloat16.

A plan holds the network as OpenVINO exports it, compiled for batch size 1 and, for some networks,
for a larger one or for several heights. Fixed shapes run 10 % faster than dynamic ones. A network
for a larger batch is left out unless it gives the same bits, so that an image gets the same answer
alone and beside others.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engines import cpu
from engines.backends.openvino.runner import VERSION, CompiledNetworks, OpenVinoRunner
from engines.catalog import ModelSpec, Precision
from engines.cpu import CpuEngine
from engines.errors import PlanDamagedError
from engines.types import Report

if TYPE_CHECKING:
    import onnx

# Version of our plans; increase it when `CompiledNetworks` changes.
PLAN_VERSION = "2"
# With either, bfloat16 is faster than float32. With neither, OpenVINO silently computes in float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


class OpenVino(CpuEngine):
    """The engine; its plans depend on the library's version and the CPU's instructions."""

    name = origin = "openvino"
    suffix = ".ov"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The default is bfloat16 if the CPU has it."""
        return ("bf16", "fp32", "int8") if BFLOAT16 & cpu.instructions() else ("fp32", "int8")

    def identity(self) -> dict[str, str]:
        """The library's version, the instructions that select its kernels, and `PLAN_VERSION`."""
        return {
            "library": f"openvino {VERSION}",
            "instructions": " ".join(sorted(cpu.instructions())),
            "plan": PLAN_VERSION,
        }

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """The heights of common formats; each is compiled, since fixed shapes run faster."""
        from engines import heights  # noqa: PLC0415  (a worker does not need it)

        return heights.common(spec)

    def compile(
        self,
        model: "onnx.ModelProto",
        spec: ModelSpec,
        folder: Path,  # noqa: ARG002
        report: Report,
    ) -> bytes:
        """Compile a graph; see `engines.backends.openvino.build.compiled`."""
        from engines.backends.openvino.build import compiled  # noqa: PLC0415  (a worker does not need it)

        return msgspec.msgpack.encode(compiled(model, spec, report))

    def open(self, plan: Path, spec: ModelSpec) -> OpenVinoRunner:
        """Load a plan, in a third of the time that compiling the graph takes."""
        try:
            return OpenVinoRunner(msgspec.msgpack.decode(plan.read_bytes(), type=CompiledNetworks))
        except (msgspec.DecodeError, RuntimeError) as error:
            raise PlanDamagedError(
                f"OpenVINO does not load {plan}; run `emotions build --force --engine openvino "
                f"{spec.name}`"
            ) from error
