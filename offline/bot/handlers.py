"""The bot's answers to messages."""

import asyncio
import io
from collections.abc import Sequence
from typing import Any

import structlog
from telegram import Message, Update
from telegram.error import TelegramError
from telegram.ext import ContextTypes

from analysis.document import Face, ImageResult
from offline.analyzers.types import Analyzer
from offline.bot import messages
from offline.bot.labels import THREE, restrict
from offline.bot.quota import ChatQuota, QuotaExceededError
from offline.bot.settings import BotSettings
from offline.drawing.annotate import annotate
from offline.errors import RemoteError

# Telegram rejects photos with sides that sum to more than 10,000 pixels.
LONGEST_SIDE = 4096
JPEG_QUALITY = 90
Context = ContextTypes.DEFAULT_TYPE
log = structlog.get_logger("emotions.bot")


class Handlers:
    """A method per kind of message. The only state of a chat is whether it chose three classes."""

    analyzer: Analyzer

    def __init__(self, settings: BotSettings) -> None:
        self._max_bytes = settings.max_bytes
        self._three: set[int] = set()
        self._quota = ChatQuota(settings.a_chat, settings.waiting)

    async def help(self, update: Update, _: Context) -> None:
        await _message(update).reply_text(messages.HELP)

    async def seven(self, update: Update, _: Context) -> None:
        self._three.discard(_message(update).chat_id)
        await _message(update).reply_text(messages.chosen(self.analyzer.labels))

    async def three(self, update: Update, _: Context) -> None:
        if not {*THREE} <= {*self.analyzer.labels}:
            await _message(update).reply_text(messages.not_three(self.analyzer.labels))
            return
        self._three.add(_message(update).chat_id)
        await _message(update).reply_text(messages.chosen(THREE))

    async def other(self, update: Update, _: Context) -> None:
        if update.message:
            await update.message.reply_text(messages.NO_PICTURE)

    async def picture(self, update: Update, _: Context) -> None:
        """Answer a photograph, sent as a photo or as a file, within the quota of its chat."""
        message = _message(update)
        try:
            async with self._quota.slot(message.chat_id, message.media_group_id):
                await self._answer(message)
        except QuotaExceededError as error:
            if error.first_of_album:
                await message.reply_text(messages.BUSY)

    async def _answer(self, message: Message) -> None:
        attached = message.photo[-1] if message.photo else message.document
        if attached is None or (attached.file_size or 0) > self._max_bytes:
            await message.reply_text(messages.too_large(self._max_bytes))
            return
        file = await attached.get_file()
        data = bytes(await file.download_as_bytearray())
        try:
            result, image = await self.analyzer.analyze("picture", data)
        except RemoteError as error:
            log.warning("service.unreachable", detail=str(error))
            await message.reply_text(messages.UNREACHABLE)
            return
        await self._reply(message, result, image)

    async def _reply(self, message: Message, result: ImageResult, image: Any) -> None:
        if result.error or image is None:
            await message.reply_text(messages.failed(result))
            return
        if not result.faces:
            await message.reply_text(messages.NO_FACE)
            return
        labels = THREE if message.chat_id in self._three else self.analyzer.labels
        faces = restrict(result.faces, labels)
        photo = await asyncio.to_thread(_annotated_jpeg, image, faces, result.width)
        await message.reply_photo(photo, caption=messages.caption(faces))

    async def failed(self, update: object, context: Context) -> None:
        """Log an error of a handler, and report in the chat that there was one."""
        log.error("failed", exc_info=context.error)
        if isinstance(update, Update) and update.message:
            try:
                await update.message.reply_text(messages.FAILED)
            except TelegramError as error:
                log.warning("reply.failed", detail=str(error))


def _annotated_jpeg(image: Any, faces: Sequence[Face], width: int | None) -> bytes:
    picture = annotate(image, faces, width)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _message(update: Update) -> Message:
    if update.message is None:
        raise ValueError("the bot polls for messages only")
    return update.message
