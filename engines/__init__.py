"""What a model is and how to run it: catalog, weights, plans and runners."""

import os
import sys

# ONNX Runtime reports its use over the network, from the moment it is imported, unless told not to.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
# So does OpenVINO, with this package; where it cannot be imported, OpenVINO does without.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
