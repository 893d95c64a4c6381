"""ONNX Runtime's CUDA provider, for GPUs without TensorRT."""
