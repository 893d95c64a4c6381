"""The `emotions` command, as it is typed."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from engines.backends.onnxruntime import OnnxRuntime
from offline.own_model import OwnModel
from offline.plans import select_models
from service.settings import Settings
from tests.cases import Case
from tests.offline import containers
from tests.offline.helpers import emotions, read_table
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, read

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "weights"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the reference weights are not here")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, plans: Path) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))


def test_ctrl_c_during_the_imports_prints_no_traceback() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "offline.cli", "predict", "x.png"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("engines.catalog" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == -signal.SIGINT


def test_build_reports_plans_that_are_up_to_date() -> None:
    output = emotions("build")
    for name in ("retinaface-mnet025", "retinaface-mnet025-960", "retinaface-mnet025-1280"):
        assert f"{name}: up to date (onnxruntime" in output
    assert "landmarks-64: up to date" in output
    assert "arcface-mobilefacenet: up to date" in output


def test_landmarks_none_skips_the_landmark_network(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "landmarks-64" in [spec.name for spec in select_models([], Settings(), OnnxRuntime())]
    assert "landmarks-64" not in [
        spec.name for spec in select_models([], Settings(landmarks="none"), OnnxRuntime())
    ]
    monkeypatch.setenv("EMOTIONS_LANDMARKS", "emotion-fer48")
    assert "emotion-fer48" in emotions("build", status=1)


def test_an_embedder_without_weights_is_skipped_unless_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOTIONS_EMBEDDER", "arcface-r50")
    assert "arcface-r50" in emotions("build")


def test_build_of_a_named_model_without_weights_fails() -> None:
    assert "emotions models pull w600k-mbf" in emotions("build", "w600k-mbf", status=1)


def test_verify_prints_figures() -> None:
    output = emotions("verify", "retinaface-mnet025-960")
    assert {line.split()[0] for line in output.splitlines()} == {"retinaface-mnet025-960"}
    assert "iou" in output


def test_a_detector_is_selected_with_all_of_its_inputs_or_with_one() -> None:
    whole = ["retinaface-r50", "retinaface-r50-960", "retinaface-r50-1280"]
    for names, expected in (([whole[0]], whole), ([whole[1]], [whole[1]])):
        assert [spec.name for spec in select_models(names, Settings(), OnnxRuntime())] == expected


def test_models_list_shows_where_weights_are() -> None:
    output = emotions("models", "list")
    assert "retinaface-mnet025.wts" in output
    assert "emotions models pull w600k-mbf" in output
    assert "retinaface-mnet025-960" not in output, "the same weights once more"


def test_models_list_continues_after_a_file_with_another_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTIONS_PLANS", str(tmp_path / "plans"))
    for name in ("changed", "whole"):
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(b"graph")
        OwnModel.of(file, Settings()).add(["happy", "sad"], "own.h5", "mine")
    (tmp_path / "changed.onnx").write_bytes(b"another")
    lines = {line.split()[0]: line for line in emotions("models", "list").splitlines()}
    assert "changed.onnx" not in lines["changed"]
    assert "whole.onnx" in lines["whole"]


def test_pull_without_a_url_names_the_file_to_provide() -> None:
    assert "put arcface-r50.wts" in emotions("models", "pull", "arcface-r50", status=1)
    assert "models list" in emotions("models", "pull", "nothing", status=1)


def test_predict_writes_a_line_per_image_and_reports_broken_ones(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(ASTRONAUT_FILE.read_bytes())
    (tmp_path / "b.jpg").write_bytes(HOPPER_FILE.read_bytes()[:5000])
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "d.JPG").write_bytes(HOPPER_FILE.read_bytes())
    (tmp_path / "notes.txt").write_text("no image")
    output = emotions("predict", tmp_path, status=1)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert [Path(line["id"]).name for line in lines] == ["a.png", "b.jpg", "d.JPG"]
    assert [len(line["faces"]) for line in lines] == [1, 0, 1]
    assert lines[1]["error"]["code"] == "corrupt_image"


WITHOUT_OUT, WITHOUT_PYAV = "videos need --out", "videos need PyAV"
BESIDE_A_VIDEO = {
    WITHOUT_OUT: Case(
        "three JPEGs beside a `.MOV`, without `--out`",
        "the images are read",
        "3 images with a face; `videos need --out`; exit status 1",
    ),
    WITHOUT_PYAV: Case(
        "three JPEGs beside a `.MOV`, with `--out` but without PyAV",
        "the images are read",
        "3 images with a face; `videos need PyAV`; exit status 1",
    ),
}


@pytest.mark.parametrize(("reason", "case"), BESIDE_A_VIDEO.items())
def test_a_video_does_not_cost_the_images_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, case: Case
) -> None:
    photographs, out = tmp_path / "in", tmp_path / "out"
    photographs.mkdir()
    for number in range(3):
        (photographs / f"IMG_{number}.JPG").write_bytes(HOPPER_FILE.read_bytes())
    containers.make(photographs / "IMG_0.MOV", "-c:v mpeg4 -f mov")
    monkeypatch.setitem(sys.modules, "av", None)
    option: list[str | Path] = ["--out", out] if reason == WITHOUT_PYAV else []
    output = emotions("predict", photographs, *option, status=1)
    assert f"IMG_0.MOV: {reason}" in output
    assert "1 of the files could not be analyzed, or not completely" in output
    if option:
        faces = [row["faces"] for row in read_table(out / "images.csv")]
    else:
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        assert lines.pop()["error"]["code"] == "unsupported_media"
        faces = [str(len(line["faces"])) for line in lines]
    images = f"{faces.count('1')} images with a face"
    assert f"{images}; `{reason}`; exit status 1" == case.happens


def test_nothing_to_read_is_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    output = emotions("predict", tmp_path, status=1)
    assert "left out: 1 file (1 .txt)" in output
    assert "emotions: nothing was read" in output


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--out", "a.jpg", "a.jpg is a file; --out takes a folder"),
        ("--out", "a.jpg/b", "a.jpg/b: Not a directory"),
        ("--url", "localhost:8000", "--url takes http:// or https://, not localhost:8000"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(
    tmp_path: Path, option: str, value: str, advice: str
) -> None:
    shutil.copy(HOPPER_FILE, tmp_path / "a.jpg")
    given = tmp_path / value if option == "--out" else value
    output = emotions("predict", tmp_path, option, given, status=1)
    assert advice in output.replace("\n", "")
    assert "Errno" not in output


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a device of Linux")
def test_a_full_disk_behind_standard_output_is_named() -> None:
    command = [sys.executable, "-m", "offline.cli", "predict", str(HOPPER_FILE)]
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert result.returncode == 1
    assert "emotions: standard output: No space left on device" in result.stderr


def test_export_needs_weights_that_fit(tmp_path: Path) -> None:
    wrong = tmp_path / "w.wts"
    wrong.write_text("1\nfc 1 3f800000\n")
    output = emotions(
        "export", "arcface-r50", "--weights", wrong, "--out", tmp_path / "x.onnx", status=1
    )
    assert "conv0_weight" in output
    assert not (tmp_path / "x.onnx").exists()


def test_export_takes_a_size(tmp_path: Path) -> None:
    weights = ROOT / "engines/models/retinaface-mnet025.wts"
    out = tmp_path / "small.onnx"
    emotions(
        "export", "retinaface-mnet025", "--weights", weights, "--out", out, "--size", "320x480"
    )
    shape = onnx.load(out).graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in shape][1:] == [320, 480, 3]
    assert "multiples of 32" in emotions(
        "export",
        "retinaface-mnet025",
        "--weights",
        weights,
        "--out",
        out,
        "--size",
        "30x48",
        status=1,
    )


@needs_shared
def test_raw_export_equals_the_reference(tmp_path: Path) -> None:
    out = tmp_path / "raw.onnx"
    weights = SHARED / "retinaface_mnet025.wts"
    emotions("export", "retinaface-mnet025", "--weights", weights, "--out", out, "--raw")
    image = np.zeros((640, 640, 3), np.float32)
    image[:512, :512] = read(ASTRONAUT_FILE)[:, :, ::-1]
    feed = (image - np.array([104, 117, 123], np.float32)).transpose(2, 0, 1)[None]
    ours = onnxruntime.InferenceSession(str(out)).run(["loc", "conf", "landms"], {"input": feed})
    reference = onnxruntime.InferenceSession(str(SHARED / "retinaface_mnet025_reference.onnx"))
    theirs = reference.run(None, {"input0": feed})
    for mine in ours:
        (other,) = [array for array in theirs if array.shape == mine.shape]
        assert np.abs(mine - other).max() < 1e-4
