"""OpenVINO on the CPU: faster than ONNX Runtime, most of all where the CPU computes in bfloat16.

A plan holds the network as OpenVINO exports it, compiled for a batch of one and, for some networks,
for a larger one or for several heights: fixed shapes run a tenth faster than free ones, and an
image that is always computed alone cannot answer otherwise in company.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engines import cpu
from engines.backends.openvino.runner import VERSION, Networks, OpenVinoRunner
from engines.catalog import ModelSpec, Precision
from engines.errors import PlanDamagedError
from engines.types import Report

if TYPE_CHECKING:
    import onnx

# Grows whenever `Networks` changes.
FORM = "2"
# Either makes bfloat16 faster than float32; elsewhere OpenVINO would silently compute in float32.
BFLOAT16 = {"avx512_bf16", "amx_bf16"}


class OpenVino:
    """The engine: a plan is bound to the library's version and the CPU's instructions."""

    name = origin = "openvino"
    suffix = ".ov"

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """bfloat16 only where the CPU has it, and there it comes first."""
        return ("bf16", "fp32", "int8") if BFLOAT16 & cpu.instructions() else ("fp32", "int8")

    def identity(self) -> dict[str, str]:
        """The library's version, the instructions that it picks kernels by, the file's form."""
        return {
            "library": f"openvino {VERSION}",
            "instructions": " ".join(sorted(cpu.instructions())),
            "plan": FORM,
        }

    def obstacle(self) -> None:
        """None: it runs on every CPU that it can be installed on."""

    def devices(self) -> int:
        """None: the cores compute."""
        return 0

    def on(self, device: int) -> "OpenVino":  # noqa: ARG002
        """The same: it has no GPU."""
        return self

    def batch(self, spec: ModelSpec) -> int:
        """See `cpu.batch`."""
        return cpu.batch(spec)

    def heights(self, spec: ModelSpec) -> tuple[int, ...]:
        """Those of common formats: each is compiled, for fixed shapes run faster."""
        from engines import heights  # noqa: PLC0415  (a worker has no need of it)

        return heights.common(spec)

    def compile(
        self,
        model: "onnx.ModelProto",
        spec: ModelSpec,
        folder: Path,  # noqa: ARG002
        report: Report,
    ) -> bytes:
        """Compile a graph; see `engines.backends.openvino.build.compiled`."""
        from engines.backends.openvino.build import compiled  # noqa: PLC0415  (a worker has no need of it)

        return msgspec.msgpack.encode(compiled(model, spec, report))

    def open(self, plan: Path, spec: ModelSpec) -> OpenVinoRunner:
        """Load a plan; a third of the time that compiling the graph would take."""
        try:
            return OpenVinoRunner(msgspec.msgpack.decode(plan.read_bytes(), type=Networks))
        except (msgspec.DecodeError, RuntimeError) as error:
            raise PlanDamagedError(
                f"OpenVINO does not load {plan}; run `emotions build --force --engine openvino "
                f"{spec.name}`"
            ) from error
