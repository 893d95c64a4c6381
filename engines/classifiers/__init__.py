"""Export of a user's classifier, ONNX or Keras, as the ONNX graph of an emotion network."""
