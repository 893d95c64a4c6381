"""The bot's application: which message goes to which handler, over long polling."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import structlog
from telegram.ext import Application, CommandHandler, MessageHandler, filters

from offline.analyzers.types import Analyzer
from offline.bot.handlers import Handlers
from offline.bot.settings import BotSettings

log = structlog.get_logger("emotions.bot")


def create_application(settings: BotSettings, opener: AbstractAsyncContextManager[Analyzer]) -> Any:
    """Return the application; `opener` is open while the application runs."""
    handlers, stack = Handlers(settings), AsyncExitStack()

    async def start(application: Any) -> None:
        handlers.analyzer = await stack.enter_async_context(opener)
        log.info("polling", bot=application.bot.username)

    async def stop(_: Any) -> None:
        await stack.aclose()

    application = (
        Application.builder()
        .token(settings.token.get_secret_value())
        .base_url(f"{settings.api}/bot")
        .base_file_url(f"{settings.api}/file/bot")
        .concurrent_updates(True)
        .post_init(start)
        .post_shutdown(stop)
        .build()
    )
    _register(application, handlers)
    return application


def _register(application: Any, handlers: Handlers) -> None:
    application.add_handler(CommandHandler(["start", "help"], handlers.help))
    application.add_handler(CommandHandler("seven", handlers.seven))
    application.add_handler(CommandHandler("three", handlers.three))
    pictures = filters.PHOTO | filters.Document.IMAGE
    application.add_handler(MessageHandler(pictures, handlers.picture))
    # In a group, people also write to each other, join and leave.
    private = filters.ChatType.PRIVATE & ~filters.StatusUpdate.ALL
    application.add_handler(MessageHandler(private, handlers.other))
    application.add_error_handler(handlers.failed)
