"""Detectors that a library runs in Python, for comparisons: they have no graph and no plan."""
