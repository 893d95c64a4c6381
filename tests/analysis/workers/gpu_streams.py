"""A network for streams on a GPU that is not there."""

import msgspec

from engines.probe_inputs import probe
from tests.engines.backends.tensorrt import network

SPEC = msgspec.structs.replace(network.SPEC, batches=(1, 4))
FACES = probe(SPEC)
gpu = network.engine_on
