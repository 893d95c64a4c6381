"""Streams on a GPU that is not there: `fake_tensorrt` computes with ONNX Runtime."""

from typing import cast

import msgspec

from engines.backends.tensorrt.engine import TensorRT
from engines.backends.tensorrt.library import Library
from engines.catalog import Catalog
from engines.probe_inputs import probe
from tests.engines.backends import fake_tensorrt
from tests.engines.backends.fake_cuda import L4, Machine

SPEC = msgspec.structs.replace(Catalog.load().get("emotion-fer48"), batches=(1, 4))
FACES = probe(SPEC)


def gpu(machine: Machine) -> TensorRT:
    fake_tensorrt.ICudaEngine.machine = machine
    return TensorRT("tensorrt", cast(Library, fake_tensorrt), (L4,), cuda=machine.cuda())
