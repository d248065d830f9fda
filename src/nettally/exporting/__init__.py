"""A network and its weights as a file for other programs: ONNX, of our own writing."""
