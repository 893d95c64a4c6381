"""`emotions-bot`: poll Telegram until SIGTERM or Ctrl-C."""

import logging
import sys

from analysis.types import Options
from engines.errors import EngineError
from offline.analyzers import RemoteError, opened
from offline.bot.settings import BotSettings, BotSettingsError, from_environment
from service.settings import Settings
from service.telemetry.logs import configure

try:
    from telegram.error import InvalidToken, TelegramError

    from offline.bot.app import create
except ModuleNotFoundError:
    sys.exit("emotions-bot: `pip install '.[bot]'` in the repository brings what it needs")


def main() -> None:
    """Run the bot."""
    try:
        bot, settings = from_environment(BotSettings), from_environment(Settings)
    except BotSettingsError as error:
        sys.exit(f"emotions-bot: {error}")
    configure(settings)
    logging.getLogger("telegram.ext").addFilter(_news)
    options = Options(settings.min_score, settings.max_faces, keep_image=True)
    reader = opened(settings, options, bot.url)
    try:
        create(bot, reader).run_polling(allowed_updates=["message"])
    except (EngineError, RemoteError) as error:
        sys.exit(f"emotions-bot: {error}")
    except InvalidToken:
        sys.exit("emotions-bot: Telegram does not know this token")
    except TelegramError as error:  # at the start; later ones are waited out
        sys.exit(f"emotions-bot: no answer from {bot.api} ({error}); try again when there is one")


def _news(record: logging.LogRecord) -> bool:
    """Whether a line tells of something else than the error that the bot ends with."""
    return not (record.exc_info and isinstance(record.exc_info[1], TelegramError))


if __name__ == "__main__":
    main()
