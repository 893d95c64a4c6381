"""`python -m tests.engines.tensorrt_worker`: a worker with a GPU that is not there."""

from typing import cast

from engines.tensorrt import TensorRT
from engines.tensorrt_build import Library
from engines.worker.lanes import run
from tests.engines import fake_tensorrt
from tests.engines.fake_cuda import Machine


def engine() -> TensorRT:
    """TensorRT on the fake GPU, which computes with ONNX Runtime."""
    machine = Machine()
    fake_tensorrt.ICudaEngine.machine = machine  # what the tests' own fixture does
    return TensorRT("tensorrt", cast(Library, fake_tensorrt), machine.cuda())


if __name__ == "__main__":
    run(engine)
