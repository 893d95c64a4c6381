"""The bot as a process, against a fake of the Bot API."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.evaluation.fer2013 import LABELS
from offline.bot import messages
from offline.bot.__main__ import main
from offline.bot.labels import THREE, restrict
from tests.offline.bot.telegram import TOKEN, Telegram, telegram
from tests.offline.helpers import face
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, read
from tests.server import Server

ROOT = Path(__file__).parents[3]
ASTRONAUT = encode(read(ASTRONAUT_FILE), "JPEG", quality=90)
BLANK = encode(np.zeros((64, 64, 3), np.uint8))


def start(api: Telegram, plans: Path, **settings: str) -> "subprocess.Popen[str]":
    given = {"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_BOT_API": api.url, "EMOTIONS_PLANS": str(plans)}
    given |= {"PYTHONPATH": str(ROOT / "client"), "EMOTIONS_WORKERS": "1"} | settings
    return subprocess.Popen(
        [sys.executable, "-m", "offline.bot"],
        env=os.environ | given,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@contextmanager
def running(api: Telegram, plans: Path, **settings: str) -> Iterator[None]:
    process = start(api, plans, **settings)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        _, output = process.communicate(timeout=30)
        assert TOKEN not in output


@pytest.fixture(scope="module")
def api(plans: Path) -> Iterator[Telegram]:
    """The fake, and a bot that polls it."""
    with telegram() as api, running(api, plans):
        yield api


def test_a_photo_comes_back_annotated(api: Telegram) -> None:
    api.photo(7, ASTRONAUT)
    sent = api.answer()
    assert sent.chat == 7
    assert sent.text.startswith("1 face: ")
    assert sent.photo is not None
    drawn = np.asarray(Image.open(io.BytesIO(sent.photo)))
    original = np.asarray(Image.open(io.BytesIO(ASTRONAUT)))
    assert drawn.shape == original.shape
    assert (np.abs(drawn.astype(int) - original) > 60).any(axis=2).mean() > 0.005


def test_a_photo_on_its_side_is_read(api: Telegram) -> None:
    """Many applications drop the orientation of a photograph."""
    portrait = read(ASTRONAUT_FILE)[:300, 80:380]
    api.photo(7, encode(np.rot90(portrait), "JPEG", quality=90))
    assert api.answer().text.startswith("1 face: happy")


def test_three_classes_stay_chosen_for_their_chat(api: Telegram) -> None:
    api.command(8, "/three")
    assert api.answer().text == messages.chosen(THREE)
    api.document(8, HOPPER_FILE.read_bytes(), "image/jpeg")
    sent = api.answer()
    assert any(f": {label} " in sent.text for label in THREE)
    assert sent.photo is not None
    api.command(8, "/seven")
    assert api.answer().text == messages.chosen(LABELS)


def test_three_classes_that_the_model_lacks_are_refused(plans: Path) -> None:
    model: dict[str, object] = {"name": "own", "task": "emotion", "version": "1", "licence": "mine"}
    model |= {"labels": ["calm", "happy"], "engine": "onnxruntime", "precision": "fp32"}
    with telegram() as api:
        # The fake serves any file, so it can also be the service and list its models.
        api.files["models"] = json.dumps({"models": [model]}).encode()
        with running(api, plans, EMOTIONS_BOT_URL=api.url):
            api.command(1, "/three")
            assert api.answer().text == messages.not_three(("calm", "happy"))
            api.command(1, "/seven")
            assert api.answer().text == messages.chosen(("calm", "happy"))


def test_other_messages_and_failures_are_answered_in_words(api: Telegram) -> None:
    for command in ("/start", "/help"):
        api.command(9, command)
        assert api.answer().text == messages.HELP
    api.send(9, text="hello")
    assert api.answer().text == messages.NO_PICTURE
    api.photo(9, BLANK)
    assert api.answer().text == messages.NO_FACE
    api.photo(9, ASTRONAUT[:5000])
    assert "JPEG" in api.answer().text
    api.photo(9, BLANK, size=30_000_000)
    assert "20 MB" in api.answer().text


def test_in_a_group_only_pictures_are_answered(api: Telegram) -> None:
    api.send(-1, new_chat_members=[{"id": 2, "is_bot": False, "first_name": "A"}])
    api.send(-1, text="hello")
    api.send(1, message_auto_delete_timer_changed={"message_auto_delete_time": 60})
    api.photo(-1, BLANK)
    assert api.answer().text == messages.NO_FACE
    assert api.sent.empty()


def test_an_album_is_answered_completely(api: Telegram) -> None:
    for _ in range(10):
        api.photo(10, ASTRONAUT, media_group_id="album")
    texts = [api.answer().text for _ in range(10)]
    assert all(text.startswith("1 face: ") for text in texts), texts


def test_an_album_above_the_quota_gets_one_message(server: Server, plans: Path) -> None:
    quota = {"EMOTIONS_BOT_A_CHAT": "1", "EMOTIONS_BOT_WAITING": "1"}
    with telegram() as api:
        for _ in range(10):  # before the bot starts, so that it gets all of them at once
            api.photo(10, ASTRONAUT, media_group_id="album")
        with running(api, plans, EMOTIONS_BOT_URL=server.url, **quota):
            texts = [api.answer().text for _ in range(3)]
            api.command(10, "/help")
            assert api.answer().text == messages.HELP
    assert texts.count(messages.BUSY) == 1
    assert sum(text.startswith("1 face: ") for text in texts) == 2


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "EMOTIONS_BOT_TOKEN: Field required"),
        ({"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_BOT_A_CHAT": "0"}, "EMOTIONS_BOT_A_CHAT: "),
        ({"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_MIN_SCORE": "abc"}, "EMOTIONS_MIN_SCORE: "),
    ],
)
def test_wrong_settings_are_named_without_the_token(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as error:
        main()
    assert named in str(error.value)
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"EMOTIONS_BOT_TOKEN": "1:wrong"}, "token"),
        ({"EMOTIONS_BOT_API": "http://127.0.0.1:9"}, "http://127.0.0.1:9"),
        ({"EMOTIONS_BOT_URL": "ftp://nowhere"}, "ftp://nowhere"),
    ],
)
def test_a_failed_start_is_one_line(settings: dict[str, str], named: str, plans: Path) -> None:
    with telegram() as api:
        process = start(api, plans, **settings)
        _, output = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = output.splitlines()
    assert line.startswith("emotions-bot: ")
    assert named in line
    assert TOKEN not in line


def test_a_softmax_over_some_classes() -> None:
    scores = {"angry": 0.4, "happy": 0.3, "sad": 0.2, "neutral": 0.1}
    angry = face(quality=0.9).model_copy(update={"scores": scores, "emotion": "angry"})
    (restricted,) = restrict([angry], THREE)
    assert restricted.emotion == "happy"
    assert restricted.scores == pytest.approx({"happy": 0.5, "neutral": 1 / 6, "sad": 1 / 3})
    caption = messages.caption([restricted] * 12)
    assert caption == f"12 faces: {', '.join(['happy 50%'] * 10)} and 2 more"


def test_an_unsure_emotion_is_named_in_a_sentence() -> None:
    sure, unsure = face(score=0.8, quality=0.9), face(score=0.8, quality=0.3)
    assert messages.caption([sure]) == "1 face: happy 80%"
    expected = f"2 faces: happy 80%, happy? 80%\n{messages.UNSURE}"
    assert messages.caption([sure, unsure]) == expected
