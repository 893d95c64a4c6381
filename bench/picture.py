"""What all pictures of the benchmarks need."""

from typing import Any

OURS_COLOUR, THEIRS_COLOUR = "#c2410c", "#94a3b8"


def pyplot() -> Any:
    """Matplotlib's module for figures that go to files; imported late, as it takes a second."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    return plt
