"""What a model is and how to run it: catalog, weights, plans and runners."""

import os
import sys

# ONNX Runtime sends telemetry from the moment it is imported, unless this is set.
os.putenv("ORT_DISABLE_TELEMETRY", "1")
# OpenVINO sends telemetry with this package, and works without it.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
