"""Changes to an ONNX graph before an engine compiles it."""
