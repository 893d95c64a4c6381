"""`python -m bench.gpu`: the first hour on a real GPU, in stages; see docs/gpu-day.md."""
