"""Conversion of Keras files to ONNX graphs."""
