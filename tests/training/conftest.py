"""Defaults of the trainings' tests: the PyTorch backend of Keras, and one thread per process."""

import os
from importlib.util import find_spec

if find_spec("torch"):  # other environments skip these tests
    os.environ.setdefault("KERAS_BACKEND", "torch")
    # Threads of PyTorch busy-wait for each other, which is slow beside other processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Keras has one backend per process: `test_tensorflow.py` runs these in a process of their own.
collect_ignore = [] if os.environ.get("KERAS_BACKEND") == "tensorflow" else ["tensorflow"]
