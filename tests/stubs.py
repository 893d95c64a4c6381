"""Types of TensorRT 10's and 11's real bindings, made without TensorRT: `python -m tests.stubs`.

The bindings are on the package index, the libraries they need are not; empty libraries with the
same names let the bindings load, and pybind11-stubgen writes down what it sees. The result lies in
`build/stubs/<major>` and is never committed.
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
# What stubgen makes of plugins is not all valid; what we use is.
HEAD = "# mypy: ignore-errors\nimport builtins"
DIMS = "Dims | tuple[int, ...]"


def main() -> None:
    """Make the stubs that are not there yet."""
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
    _hollow_libraries(major, folder)
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


def _hollow_libraries(major: str, folder: Path) -> None:
    """Libraries with the symbols that the bindings look for and nothing behind them."""
    source = folder / "hollow.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in SYMBOLS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), f"-Wl,-soname,{name}"]
        subprocess.run([*command, "-o", str(folder / name)], check=True)


def repaired(stub: str) -> str:
    """Set right what stubgen cannot know: names that Python forbids, and what is converted."""
    stub = re.sub(r"\bin: ", "in_: ", stub)
    # The module has a data type called bool, which hides Python's.
    stub = re.sub(r"(->|:) bool\b(?! *=)", r"\1 builtins.bool", stub)
    stub = re.sub(r"(: builtins\.bool|: bool)( = )", r": builtins.bool\2", stub)
    stub = stub.replace("from __future__ import annotations", HEAD, 1)
    stub = re.sub(r"(?<=[(,] )((?:min|opt|max)): Dims(?=[,)])", rf"\1: {DIMS}", stub)
    # A default in the middle of the parameters.
    stub = re.sub(r"(channel_axis: typing\.SupportsInt)(?=\))", r"\1 = ...", stub)
    stub = stub.replace(
        "class IHostMemory:\n",
        "class IHostMemory:\n    def __buffer__(self, flags: int, /) -> memoryview: ...\n",
        1,
    )
    # Python falls back to __getitem__ where a class has no __iter__; types do not.
    stub = stub.replace(
        "class Dims:\n",
        "class Dims:\n    def __iter__(self) -> collections.abc.Iterator[int]: ...\n",
        1,
    )
    # Plain Python of the package, outside the compiled module.
    return stub + "\ndef nptype(trt_type: DataType) -> type: ...\n"


if __name__ == "__main__":
    main()
