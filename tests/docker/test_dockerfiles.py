"""The Dockerfiles agree with the repository and with each other."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from service.settings import Settings
from tests.docker.dockerfile import CPU, GPU, ROOT, of, pins, read, runtime

BOTH = pytest.mark.parametrize("path", [CPU, GPU], ids=["cpu", "gpu"])
FILES = [*filter(Path.is_file, (ROOT / "docker").iterdir()), ROOT / "docker-compose.yml"]
HOSTS = {"pypi.nvidia.com"}


def test_the_images_run_in_the_same_way() -> None:
    assert runtime(CPU) == runtime(GPU)


def test_the_image_runs_as_a_user_without_rights() -> None:
    stage = runtime(CPU)
    assert of(stage, "USER") == ["10001:10001"]
    assert of(stage, "ENTRYPOINT") == ['["entrypoint.sh"]']
    assert of(stage, "VOLUME") == ["/plans"]
    assert of(stage, "EXPOSE") == [str(Settings.model_fields["port"].default)]
    assert len(of(stage, "HEALTHCHECK")) == 1


@BOTH
def test_what_is_copied_exists_and_is_sent_to_the_build(path: Path) -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copies = [text.split()[:-1] for text in of(read(path), "COPY") if "--from" not in text]
    sources = {source for copy in copies for source in copy}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert sources <= sent


def shipped() -> set[str]:
    """The top-level packages of the distribution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }


@BOTH
def test_every_package_is_copied(path: Path) -> None:
    assert shipped() <= {text.split()[0] for text in of(read(path), "COPY")}


@BOTH
def test_variables_are_declared_and_used(path: Path) -> None:
    instructions = read(path)
    declared = {text.partition("=")[0] for text in of(instructions, "ARG")}
    assert set(re.findall(r"\$\{(\w+)", " ".join(i.text for i in instructions))) == declared


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_no_other_host(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"https?://([^/\s\"']+)", text)) <= HOSTS
    assert "index-url" not in text.replace("--index-url ${TENSORRT_INDEX}", "")
    assert not re.search(r"(?i)(password|secret|key|token)\w*\s*[=:]\s*\w", text)


@BOTH
def test_bases_are_public_images_of_docker_hub(path: Path) -> None:
    bases = [text for text in of(read(path), "ARG") if text.partition("=")[0].endswith("IMAGE")]
    assert bases
    assert all(re.fullmatch(r"\w+=(python|nvidia/cuda):[\w.-]+", base) for base in bases)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_sets_what_the_service_knows(path: Path) -> None:
    known = {f"EMOTIONS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"EMOTIONS_[A-Z]\w*", path.read_text())) <= known


def installed(folder: Path, openvino: str = "", photos: str = "") -> list[str]:
    """The locks that the image's pip is told to install, with scripts in the place of programs."""
    for name in ("python3", "pip"):
        (folder / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (folder / name).chmod(0o755)
    (command,) = [text for text in of(read(CPU), "RUN") if "requirements/otel.txt" in text]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "OPENVINO": openvino, "PHOTOS": photos}
    said = subprocess.run(
        ["/bin/sh", "-c", re.sub(r"--mount=\S+", "", command)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return re.findall(r"-r (\S+)", said)


@BOTH
def test_photos_are_in_the_images_unless_they_are_left_out(path: Path) -> None:
    assert "PHOTOS=yes" in of(read(path), "ARG")
    assert any("${PHOTOS:+-r requirements/photos.txt}" in text for text in of(read(path), "RUN"))


def test_openvino_is_in_the_cpu_image_unless_it_is_left_out(tmp_path: Path) -> None:
    assert "OPENVINO=yes" in of(read(CPU), "ARG")
    otel, photos, openvino = (f"requirements/{name}.txt" for name in ("otel", "photos", "openvino"))
    assert installed(tmp_path, "yes", "yes") == [otel, photos, openvino]
    assert installed(tmp_path, photos="yes") == [otel, photos]
    assert installed(tmp_path) == [otel]


def test_the_images_locks_go_together() -> None:
    otel, photos, openvino = (
        pins(ROOT / "requirements" / f"{name}.txt") for name in ("otel", "photos", "openvino")
    )
    assert "pillow-heif" in photos
    assert "openvino" in openvino
    for lock in (photos, openvino):
        shared = otel.keys() & lock.keys()
        assert {name: otel[name] for name in shared} == {name: lock[name] for name in shared}


def test_the_gpu_image_adds_to_the_service_and_changes_nothing() -> None:
    service, gpu = pins(ROOT / "requirements" / "service.txt"), pins(ROOT / "docker" / "gpu.txt")
    assert {name: gpu.get(name) for name in service} == service
    assert {"pycuda", "tensorrt-cu13", "tensorrt-cu13-bindings"} <= gpu.keys() - service.keys()


def test_the_lock_for_cuda_has_only_the_onnx_runtime_for_gpus() -> None:
    service, cuda = (pins(ROOT / "requirements" / f"{name}.txt") for name in ("service", "cuda"))
    assert service.keys() - cuda.keys() == {"onnxruntime"}
    assert cuda["onnxruntime-gpu"] == service["onnxruntime"]


def test_the_gpu_images_libraries_are_those_of_its_bindings() -> None:
    version = dict(text.partition("=")[::2] for text in of(read(GPU), "ARG"))["TENSORRT_VERSION"]
    assert pins(ROOT / "docker" / "gpu.txt")["tensorrt-cu13-bindings"] == {version}
