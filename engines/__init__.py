"""What a model is and how to run it: catalog, weights, plans and runners."""

import os

# ONNX Runtime reports its use over the network, from the moment it is imported, unless told not to.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
