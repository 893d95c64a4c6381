"""`build.sh` with an environment whose commands only say how they were called."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "build.sh"
SAY = '#!/bin/sh\necho "$(basename "$0") ${EMOTIONS_ENGINE:-unset} $*"\n'


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    for name in ("python", "emotions"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(SAY)
        program.chmod(0o755)
    return tmp_path


def calls(environment: Path, *arguments: str) -> list[str]:
    variables = {k: v for k, v in os.environ.items() if k != "EMOTIONS_ENGINE"}
    done = subprocess.run(
        [SCRIPT, *arguments],
        env=variables | {"EMOTIONS_VENV": str(environment)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("option", [["--engine", "tensorrt-rtx"], ["--engine=tensorrt-rtx"]])
def test_serving_builds_for_the_engine_that_serves(environment: Path, option: list[str]) -> None:
    said = calls(environment, "serve", *option, "--port", "1")
    assert any("--require-hashes -r requirements/tensorrt-rtx.txt" in line for line in said)
    assert said[-2:] == [
        "emotions tensorrt-rtx build",
        f"emotions tensorrt-rtx serve {' '.join(option)} --port 1",
    ]


def test_setting_up_brings_what_photos_and_videos_need_and_does_it_once(environment: Path) -> None:
    first = calls(environment, "build", "--engine", "onnxruntime")
    assert [line for line in first if "--require-hashes" in line] == [
        "python onnxruntime -m pip install --quiet --disable-pip-version-check --require-hashes"
        " -r requirements/service.txt -r requirements/photos.txt -r requirements/video.txt"
    ]
    assert calls(environment, "build", "--engine", "onnxruntime") == [
        "emotions onnxruntime build --engine onnxruntime"
    ]


def test_what_is_there_already_is_not_installed_again(environment: Path) -> None:
    calls(environment, "build", "--engine", "onnxruntime")
    said = calls(environment, "build", "--engine", "tensorrt-rtx")
    (installed,) = [line for line in said if "--require-hashes" in line]
    assert installed.endswith("--require-hashes -r requirements/tensorrt-rtx.txt")


def test_cuda_leaves_only_the_onnx_runtime_for_gpus(environment: Path) -> None:
    said = calls(environment, "build", "--engine", "cuda")
    steps = [re.search(r"(uninstall|--force-reinstall) .*|-r requirements/cuda", x) for x in said]
    assert [step[0].split(" ")[0] for step in steps if step] == [
        "-r",
        "uninstall",
        "--force-reinstall",
    ]
    assert not any(
        "uninstall" in line for line in calls(environment, "build", "--engine=onnxruntime")
    )


@pytest.mark.parametrize("option", ["help", "-h", "--help"])
def test_help_lists_the_commands_and_installs_nothing(environment: Path, option: str) -> None:
    said = calls(environment, option)
    assert said[0].startswith("Sets up the project and runs it.")
    assert any(line.startswith("  ./build.sh serve") for line in said)
    assert not any("pip install" in line for line in said)
