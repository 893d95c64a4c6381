"""Type stubs of the bindings of TensorRT 10 and 11, made without TensorRT: `python -m tests.stubs`.

The package index has the bindings, but not the libraries that they load. Empty libraries with the
same names let the bindings load, and pybind11-stubgen generates the stubs in `build/stubs/<major>`,
which git ignores.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUBS = ROOT / "build" / "stubs"
MAJORS = ("10", "11")
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
# Some stubs of plugins are not valid; the project does not use them.
HEAD = "# mypy: ignore-errors\nimport builtins"
DIMS = "Dims | tuple[int, ...]"


def main() -> None:
    """Make the stubs that are missing."""
    for major in MAJORS:
        lock = ROOT / "requirements" / f"tensorrt-{major}-types.txt"
        made = STUBS / major / "lock.txt"
        if made.is_file() and made.read_text() == lock.read_text():
            continue
        with tempfile.TemporaryDirectory() as folder:
            make(major, lock, Path(folder))
        shutil.copy(lock, made)


def make(major: str, lock: Path, folder: Path) -> None:
    """Install the bindings of `lock` into `folder` and write their types down."""
    bindings = folder / "bindings"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--require-hashes", "-r", str(lock), "--target", str(bindings)]
    subprocess.run([*command, *options], check=True)
    _empty_libraries(major, folder)
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(bindings)}
    stubgen = [sys.executable, "-m", "pybind11_stubgen", "tensorrt_bindings.tensorrt"]
    subprocess.run(
        [*stubgen, "--ignore-all-errors", "-o", str(folder / "out")],
        check=True,
        env=environment,
        capture_output=True,
    )
    written = (folder / "out" / "tensorrt_bindings" / "tensorrt.pyi").read_text()
    package = STUBS / major / "tensorrt"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.pyi").write_text(repaired(written))


def _empty_libraries(major: str, folder: Path) -> None:
    """Build libraries that have the symbols of the bindings and do nothing."""
    source = folder / "empty.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in SYMBOLS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), f"-Wl,-soname,{name}"]
        subprocess.run([*command, "-o", str(folder / name)], check=True)


def repaired(stub: str) -> str:
    """Correct what stubgen cannot know: reserved names, and implicit conversions."""
    stub = re.sub(r"\bin: ", "in_: ", stub)
    # The data type `bool` of the module hides the built-in one.
    stub = re.sub(r"(->|:) bool\b(?! *=)", r"\1 builtins.bool", stub)
    stub = re.sub(r"(: builtins\.bool|: bool)( = )", r": builtins.bool\2", stub)
    stub = stub.replace("from __future__ import annotations", HEAD, 1)
    stub = re.sub(r"(?<=[(,] )((?:min|opt|max)): Dims(?=[,)])", rf"\1: {DIMS}", stub)
    # A parameter after one with a default needs a default.
    stub = re.sub(r"(channel_axis: typing\.SupportsInt)(?=\))", r"\1 = ...", stub)
    stub = stub.replace(
        "class IHostMemory:\n",
        "class IHostMemory:\n    def __buffer__(self, flags: int, /) -> memoryview: ...\n",
        1,
    )
    # Python iterates by __getitem__ if a class has no __iter__; type checkers do not.
    stub = stub.replace(
        "class Dims:\n",
        "class Dims:\n    def __iter__(self) -> collections.abc.Iterator[int]: ...\n",
        1,
    )
    # This function is Python code outside the compiled module.
    return stub + "\ndef nptype(trt_type: DataType) -> type: ...\n"


if __name__ == "__main__":
    main()
