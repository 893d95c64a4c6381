"""No data file is executed. Ruff bans the import of pickle and its like, see `pyproject.toml`."""

import ast
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [
    "analysis",
    "bench",
    "client",
    "docker",
    "engines",
    "offline",
    "service",
    "tensorrtx",
    "training",
]
# Its reader knows tensors and nothing else; tests/tensorrtx/test_pth.py attacks it.
READER = ROOT / "tensorrtx" / "unpickle.py"


def sources(package: str) -> list[Path]:
    """Our own files, none of a virtual environment that lies beside them."""
    found = []
    for folder, below, names in os.walk(ROOT / package):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return found


def calls(file: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]


def name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def keyword(call: ast.Call, wanted: str) -> object:
    found = next((k.value for k in call.keywords if k.arg == wanted), None)
    return found.value if isinstance(found, ast.Constant) else found


@pytest.mark.parametrize("package", PACKAGES)
def test_arrays_and_tensors_are_loaded_as_nothing_else(package: str) -> None:
    for file in sources(package):
        for call in calls(file):
            if name(call) in ("np.load", "numpy.load"):
                assert keyword(call, "allow_pickle") in (None, False), file
            if name(call) == "torch.load":
                assert keyword(call, "weights_only") is True, file
            if name(call).endswith("load_model"):
                assert keyword(call, "safe_mode") in (None, True), file


def test_the_reader_of_pth_files_only_extends_the_reader_in_python() -> None:
    """The one that may import `pickle` uses its opcodes and class, never its functions."""
    found = {
        node.attr
        for node in ast.walk(ast.parse(READER.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "pickle"
    }
    assert found <= {"_Unpickler", "BUILD", "UnpicklingError"}
