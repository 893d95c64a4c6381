"""Export of a Keras model as the ONNX graph of an emotion model."""
