"""`python -m bench.gpu`: networks, pipeline and JPEG decoding on a GPU, or on a CPU."""
