"""Libraries that compile and run plans: ONNX Runtime, OpenVINO, TensorRT."""
