"""The options of the command line that choose faces."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from service import values
from tests.offline.helpers import emotions
from tests.photographs import encode


@pytest.mark.parametrize("command", ["predict", "webcam"])
@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--min-face", "tiny", values.MIN_FACE_WANTED),
        ("--min-face", "11", values.MIN_FACE_WANTED),
        ("--min-face", "9" * 5000, values.MIN_FACE_WANTED),
        ("--orientation", "upright", "'exif', 'auto'"),
        ("--min-quality", "1.5", "1"),
        ("--min-quality", "nan", "1"),
    ],
)
def test_a_wrong_value_of_an_option_is_named(
    command: str, option: str, value: str, advice: str
) -> None:
    output = " ".join(
        re.sub("[\u2500-\u257f]", " ", emotions(command, option, value, "0", status=2)).split()
    )
    assert f"Invalid value for '{option}'" in output
    assert advice in output


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"EMOTIONS_MIN_FACE": "12"}, "min_face_too_small"),
        ({"EMOTIONS_MIN_FACE": "12", "--min-face": "fast"}, None),
        ({"--min-face": "12"}, "min_face_too_small"),
    ],
)
def test_an_option_has_precedence_over_its_variable(
    given: dict[str, str],
    code: str | None,
    plans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "long.png").write_bytes(encode(np.zeros((1000, 8000, 3), np.uint8), "PNG"))
    options: list[str] = []
    for name, value in given.items():
        if name.startswith("--"):
            options += [name, value]
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("EMOTIONS_PLANS", str(plans))
    output = emotions("predict", tmp_path, *options, status=1 if code else 0)
    (line,) = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    assert (line["error"] or {}).get("code") == code
