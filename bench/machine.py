"""When and where something was measured."""

import datetime
import platform
from pathlib import Path

from engines import cpu


def machine() -> str:
    """Today, the CPU's name, and how many cores of it may be used."""
    return f"{datetime.date.today()}, {_processor()}, {cpu.available()} core(s)"


def _processor() -> str:
    """The CPU's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
