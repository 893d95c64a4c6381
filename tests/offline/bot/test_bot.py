"""The bot in a process of its own, against a fake of the Bot API."""

import io
import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analysis.document import Face
from analysis.evaluation.fer2013 import LABELS
from offline.bot import words
from offline.bot.app import THREE, narrowed
from tests.offline.bot.telegram import TOKEN, Telegram, telegram
from tests.photographs import ASTRONAUT_FILE, HOPPER_FILE, encode, read
from tests.server import Server

ROOT = Path(__file__).parents[2]
ASTRONAUT = encode(read(ASTRONAUT_FILE), "JPEG", quality=90)
BLANK = encode(np.zeros((64, 64, 3), np.uint8))


@contextmanager
def running(api: Telegram, plans: Path, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    given = {"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_BOT_API": api.url, "EMOTIONS_PLANS": str(plans)}
    given |= {"PYTHONPATH": str(ROOT / "client"), "EMOTIONS_ENGINE": "onnxruntime"} | settings
    process = subprocess.Popen(
        [sys.executable, "-m", "offline.bot"],
        env=os.environ | given,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
        assert TOKEN not in told


@pytest.fixture(scope="module")
def api(plans: Path) -> Iterator[Telegram]:
    """The fake, with a bot that polls it."""
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


def test_three_classes_stay_chosen_for_their_chat(api: Telegram) -> None:
    api.command(8, "/three")
    assert api.answer().text == "From now on I tell happy, neutral and sad apart."
    api.document(8, HOPPER_FILE.read_bytes(), "image/jpeg")
    sent = api.answer()
    assert any(f": {label} " in sent.text for label in THREE)
    assert sent.photo is not None
    api.command(8, "/seven")
    assert api.answer().text == words.told_apart(LABELS)


def test_three_classes_of_a_model_that_lacks_them_are_refused(plans: Path) -> None:
    model: dict[str, object] = {"name": "own", "task": "emotion", "version": "1", "licence": "mine"}
    model |= {"labels": ["calm", "happy"], "engine": "onnxruntime", "precision": "fp32"}
    with telegram() as api:
        # It hands out any file, and so a service's list of models.
        api.files["models"] = json.dumps({"models": [model]}).encode()
        with running(api, plans, EMOTIONS_BOT_URL=api.url):
            api.command(1, "/three")
            assert api.answer().text == words.not_three(("calm", "happy"))
            api.command(1, "/seven")
            assert api.answer().text == "From now on I tell calm and happy apart."


def test_what_is_wrong_is_said_in_words(api: Telegram) -> None:
    for command in ("/start", "/help"):
        api.command(9, command)
        assert api.answer().text == words.HELP
    api.say(9, text="hello")
    assert api.answer().text == words.NO_PICTURE
    api.photo(9, BLANK)
    assert api.answer().text == words.NO_FACE
    api.photo(9, ASTRONAUT[:5000])
    assert api.answer().text == "The JPEG image ends before its end; send it whole."
    api.photo(9, BLANK, size=30_000_000)
    assert "20 MB" in api.answer().text


def test_only_pictures_are_answered_where_people_talk_to_each_other(api: Telegram) -> None:
    api.say(-1, new_chat_members=[{"id": 2, "is_bot": False, "first_name": "A"}])
    api.say(-1, text="hello")
    api.say(1, message_auto_delete_timer_changed={"message_auto_delete_time": 60})
    api.photo(-1, BLANK)
    assert api.answer().text == words.NO_FACE
    assert api.sent.empty()


def test_an_album_is_answered_whole(api: Telegram) -> None:
    for _ in range(10):
        api.photo(10, ASTRONAUT, media_group_id="album")
    texts = [api.answer().text for _ in range(10)]
    assert all(text.startswith("1 face: ") for text in texts), texts


def test_a_chat_that_sends_too_much_is_told_once_an_album(plans: Path) -> None:
    bounds = {"EMOTIONS_BOT_A_CHAT": "1", "EMOTIONS_BOT_WAITING": "1"}
    with telegram() as api, running(api, plans, **bounds):
        for _ in range(10):
            api.photo(10, ASTRONAUT, media_group_id="album")
        texts = [api.answer().text for _ in range(3)]
        with suppress(queue.Empty):
            while True:
                texts.append(api.sent.get(timeout=5).text)
    assert texts.count(words.BUSY) == 1
    assert sum(text.startswith("1 face: ") for text in texts) == len(texts) - 1


def test_a_service_elsewhere_and_one_that_went_away(server: Server, plans: Path) -> None:
    with telegram() as api, running(api, plans, EMOTIONS_BOT_URL=server.url):
        api.photo(1, ASTRONAUT)
        assert api.answer().text.startswith("1 face: ")
    with telegram() as api, running(api, plans, EMOTIONS_BOT_URL="ftp://nowhere") as process:
        assert process.wait(30) == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "EMOTIONS_BOT_TOKEN: Field required (The bot's token, from @BotFather)"),
        ({"EMOTIONS_BOT_TOKEN": "1:wrong"}, "does not know this token"),
        ({"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_BOT_A_CHAT": "0"}, "EMOTIONS_BOT_A_CHAT: "),
        ({"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_MIN_SCORE": "abc"}, "EMOTIONS_MIN_SCORE: "),
        (
            {"EMOTIONS_BOT_TOKEN": TOKEN, "EMOTIONS_BOT_API": "http://127.0.0.1:9"},
            "no answer from http://127.0.0.1:9",
        ),
    ],
)
def test_a_start_that_fails_is_told_in_a_sentence(
    settings: dict[str, str], told: str, plans: Path
) -> None:
    with telegram() as api:
        given = {"EMOTIONS_BOT_API": api.url, "EMOTIONS_PLANS": str(plans)}
        ended = subprocess.run(
            [sys.executable, "-m", "offline.bot"],
            env=os.environ | given | settings,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith("emotions-bot: ")
    assert told in sentence
    assert TOKEN not in sentence


def test_a_softmax_over_some_classes() -> None:
    scores = {"angry": 0.4, "happy": 0.3, "sad": 0.2, "neutral": 0.1}
    face = Face.model_construct(scores=scores, emotion="angry")
    (found,) = narrowed([face], THREE)
    assert found.emotion == "happy"
    assert found.scores == pytest.approx({"happy": 0.5, "neutral": 1 / 6, "sad": 1 / 3})
    assert words.caption([found] * 12) == f"12 faces: {', '.join(['happy 50%'] * 10)} and 2 more"
