"""Compares a documented answer with a real one."""

from typing import Any

import pytest

# The last digits of a sum depend on the processor.
NEAR = 0.01


def assert_near(documented: Any, found: Any) -> None:
    """Compare two JSON values; numbers may differ by `NEAR`."""
    if isinstance(found, dict):
        assert list(documented) == list(found)
        for key, value in found.items():
            assert_near(documented[key], value)
    elif isinstance(found, list):
        assert len(documented) == len(found)
        for one, other in zip(documented, found, strict=True):
            assert_near(one, other)
    elif isinstance(found, float):
        assert documented == pytest.approx(found, abs=NEAR)
    else:
        assert documented == found
