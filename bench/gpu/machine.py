"""The machine of a result: GPUs, driver, libraries, and the commit of the code."""

import importlib
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from bench.gpu.results import GpuFound, Machine
from bench.measure.output import cpu_name
from engines import cpu
from engines.errors import GpuMissingError
from engines.gpus import visible

ROOT = Path(__file__).parents[2]
NAMED = ("tensorrt", "nvidia", "pycuda", "onnxruntime", "openvino", "numpy", "opencv", "simplejpeg")
UNKNOWN = "unknown"


def machine() -> Machine:
    """Describe this machine, with or without a GPU."""
    commit = _git("rev-parse", "HEAD")
    return Machine(
        cpu_name(),
        cpu.available(),
        gpus(),
        driver(),
        libraries(),
        commit or UNKNOWN,
        bool(commit) and _git("status", "--porcelain") == "",
    )


def gpus() -> tuple[GpuFound, ...]:
    """The GPUs and MIG slices that this process may use."""
    try:
        found = visible()
    except GpuMissingError:
        return ()
    return tuple(GpuFound(gpu.name, gpu.capability, gpu.memory) for gpu in found)


def driver() -> str:
    """The version of NVIDIA's driver."""
    try:
        nvml: Any = importlib.import_module("pynvml")
        nvml.nvmlInit()
        return str(nvml.nvmlSystemGetDriverVersion())
    except Exception:  # its exceptions have no base class that is known without it
        return UNKNOWN


def libraries() -> dict[str, str]:
    """The versions of the installed packages on which plans and figures depend."""
    names = ((each.metadata["Name"], each.version) for each in distributions())
    return dict(sorted((n, v) for n, v in names if n.lower().startswith(NAMED)))


def _git(*arguments: str) -> str | None:
    """The output of git; None without git or a repository, such as in a container."""
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
