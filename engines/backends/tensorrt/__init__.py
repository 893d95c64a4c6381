"""TensorRT 10.12 to 11, and TensorRT-RTX by the same code."""
