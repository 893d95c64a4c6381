"""The bot's answers to messages, over long polling."""

import asyncio
import io
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import numpy as np
import structlog
from telegram import Message, Update
from telegram.error import TelegramError
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

from analysis.document import Face, ImageResult, subset
from offline.analyzers import Reader, RemoteError
from offline.annotate import annotate
from offline.bot import words
from offline.bot.settings import BotSettings
from offline.bot.turns import TooManyTurnsError, Turns

THREE = ("happy", "neutral", "sad")
# Telegram refuses photos whose sides sum to more than 10,000 pixels.
LONGEST_SIDE = 4096
Context = ContextTypes.DEFAULT_TYPE
log = structlog.get_logger("emotions.bot")


def create(settings: BotSettings, opened: AbstractAsyncContextManager[Reader]) -> Any:
    """Make the bot's application; `opened` gives the reader of faces while it runs."""
    bot, stack = Bot(settings), AsyncExitStack()

    async def begin(application: Any) -> None:
        bot.reader = await stack.enter_async_context(opened)
        log.info("polling", bot=application.bot.username)

    async def end(_: Any) -> None:
        await stack.aclose()

    application = (
        Application.builder()
        .token(settings.token.get_secret_value())
        .base_url(f"{settings.api}/bot")
        .base_file_url(f"{settings.api}/file/bot")
        .concurrent_updates(True)
        .post_init(begin)
        .post_shutdown(end)
        .build()
    )
    application.add_handler(CommandHandler(["start", "help"], bot.help))
    application.add_handler(CommandHandler("seven", bot.seven))
    application.add_handler(CommandHandler("three", bot.three))
    application.add_handler(MessageHandler(filters.PHOTO | filters.Document.IMAGE, bot.picture))
    # In a group people also talk to each other, join and leave.
    said = filters.ChatType.PRIVATE & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(said, bot.anything_else))
    application.add_error_handler(bot.failed)
    return application


class Bot:
    """What is done for each message. Of a chat it remembers the classes it asked for."""

    reader: Reader

    def __init__(self, settings: BotSettings) -> None:
        self._settings = settings
        self._three: set[int] = set()
        self._turns = Turns(settings.a_chat, settings.waiting)

    async def help(self, update: Update, _: Context) -> None:
        await _message(update).reply_text(words.HELP)

    async def seven(self, update: Update, _: Context) -> None:
        self._three.discard(_message(update).chat_id)
        await _message(update).reply_text(words.told_apart(self.reader.labels))

    async def three(self, update: Update, _: Context) -> None:
        if not {*THREE} <= {*self.reader.labels}:
            await _message(update).reply_text(words.not_three(self.reader.labels))
            return
        self._three.add(_message(update).chat_id)
        await _message(update).reply_text(words.told_apart(THREE))

    async def anything_else(self, update: Update, _: Context) -> None:
        if update.message:
            await update.message.reply_text(words.NO_PICTURE)

    async def picture(self, update: Update, _: Context) -> None:
        """Answer a photograph, as a photo or as a file, unless it is too large or too many."""
        message = _message(update)
        try:
            async with self._turns.turn(message.chat_id, message.media_group_id):
                await self._answer(message)
        except TooManyTurnsError as refused:
            if not refused.told:
                await message.reply_text(words.BUSY)

    async def _answer(self, message: Message) -> None:
        attached = message.photo[-1] if message.photo else message.document
        if attached is None or (attached.file_size or 0) > self._settings.max_bytes:
            await message.reply_text(words.too_large(self._settings.max_bytes))
            return
        file = await attached.get_file()
        data = bytes(await file.download_as_bytearray())
        try:
            result, image = await self.reader.read("picture", data)
        except RemoteError as error:
            log.warning("service.unreachable", detail=str(error))
            await message.reply_text(words.UNREACHABLE)
            return
        if result.error or image is None:
            await message.reply_text(_sentence(result))
            return
        if not result.faces:
            await message.reply_text(words.NO_FACE)
            return
        labels = THREE if message.chat_id in self._three else self.reader.labels
        faces = narrowed(result.faces, labels)
        photo = await asyncio.to_thread(_drawn, image, faces)
        await message.reply_photo(photo, caption=words.caption(faces))

    async def failed(self, update: object, context: Context) -> None:
        """Say that something went wrong; the log says what."""
        log.error("failed", exc_info=context.error)
        if isinstance(update, Update) and update.message:
            try:
                await update.message.reply_text(words.FAILED)
            except TelegramError as error:
                log.warning("unsaid", detail=str(error))


def narrowed(faces: Sequence[Face], labels: Sequence[str]) -> list[Face]:
    """The faces with a softmax over `labels` only."""
    narrow = []
    for face in faces:
        known = list(face.scores)
        row = np.array([[face.scores[label] for label in known]], np.float32)
        scores = subset(row, [known.index(label) for label in labels])[0]
        named = {label: float(score) for label, score in zip(labels, scores, strict=True)}
        best = max(named, key=named.__getitem__)
        narrow.append(face.model_copy(update={"scores": named, "emotion": best}))
    return narrow


def _drawn(image: Any, faces: Sequence[Face]) -> bytes:
    picture = annotate(image, faces)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _sentence(result: ImageResult) -> str:
    detail = result.error.detail if result.error else words.FAILED
    return detail[:1].upper() + detail[1:] + ("" if detail.endswith(".") else ".")


def _message(update: Update) -> Message:
    if update.message is None:
        raise ValueError("the handlers ask for messages only")
    return update.message
