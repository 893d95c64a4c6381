"""Settings: wrong values are errors, and misspelt variables are named."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from offline.bot.settings import BotSettings
from offline.cli.main import app
from service.settings import Settings
from service.wrong_settings import explain, misspelt

ROOT = Path(__file__).parents[2]
SERVICE_LINKS = (
    *("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP"),
    *("PORT_8000_TCP", "PORT_8000_TCP_ADDR", "PORT_8000_TCP_PORT", "PORT_8000_TCP_PROTO"),
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MIN_SCOER", "MIN_SCORE"),
        ("MAX_IMAGE", "MAX_IMAGES"),
        ("APIKEYS", "API_KEYS"),
        ("log_levl", "LOG_LEVEL"),
        ("DEADLINE", "DEADLINE_S"),
    ],
)
def test_a_misspelt_variable_is_named_with_the_nearest_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(f"EMOTIONS_{name}", "1")
    (warning,) = misspelt()
    assert warning.startswith(f"EMOTIONS_{name.upper()} is unknown")
    assert warning.endswith(f"did you mean EMOTIONS_{meant}?")


def test_a_misspelt_variable_of_the_bot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTIONS_BOT_TOKN", "secret")
    assert misspelt() == []
    (warning,) = misspelt(BotSettings)
    assert warning.endswith("did you mean EMOTIONS_BOT_TOKEN?")
    assert "secret" not in warning


def test_no_variable_that_exists_is_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [ROOT / "build.sh", *ROOT.glob("docker*"), *ROOT.glob("docker/*")]
    texts = [file.read_text() for file in files if file.is_file()]
    named = set(re.findall(r"EMOTIONS_[A-Z_]*[A-Z]", "".join(texts)))
    assert "EMOTIONS_VENV" in named
    settings = {f"EMOTIONS_{name.upper()}" for name in Settings.model_fields}
    bot = {f"EMOTIONS_BOT_{name.upper()}" for name in BotSettings.model_fields}
    links = {f"EMOTIONS_{name}" for name in SERVICE_LINKS}
    for name in named | settings | bot | links | {"EMOTIONS_KEY"}:
        monkeypatch.setenv(name, "1")
    assert misspelt() == misspelt(BotSettings) == []


def test_commands_warn_before_they_start() -> None:
    ended = CliRunner().invoke(app, ["keys", "new", "a"], env={"EMOTIONS_MIN_SCOER": "0.3"})
    assert ended.exit_code == 0
    assert ended.stderr.count("did you mean EMOTIONS_MIN_SCORE?") == 1


@pytest.mark.parametrize("value", ["auto", "fast", "12", "10000"])
def test_the_smallest_face_is_a_word_or_a_number(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("EMOTIONS_MIN_FACE", value)
    assert str(Settings().min_face) == value


@pytest.mark.parametrize("value", ["7", "10001", "40px", "Fast", "2.5", ""])
def test_another_smallest_face_is_explained_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("EMOTIONS_MIN_FACE", value)
    with pytest.raises(ValidationError) as wrong:
        Settings()
    sentence = explain(Settings, wrong.value)
    wanted = "auto, fast, or a whole number of pixels from 12 to 10000"
    assert sentence.startswith(f"EMOTIONS_MIN_FACE: Input should be {wanted} (Default")
    assert sentence.count("EMOTIONS_") == 1


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if "float" in str(field)]
)
def test_numbers_are_finite(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=r"finite number"):
        Settings.model_validate({name: value})
