"""`emotions-bot`: poll Telegram until SIGTERM or Ctrl-C."""

import logging
import sys

import structlog

from engines.errors import EngineError
from offline.analyzers import open_analyzer
from offline.bot.settings import BotSettings, BotSettingsError, from_environment
from offline.errors import CommandError
from service.options import default_options
from service.settings import Settings
from service.telemetry.logs import configure
from service.wrong_settings import misspelt

try:
    from telegram.error import InvalidToken, TelegramError

    from offline.bot.app import create_application
except ModuleNotFoundError:
    sys.exit("emotions-bot: `pip install '.[bot]'` in the repository installs what is missing")


def main() -> None:
    """Run the bot."""
    try:
        bot, settings = from_environment(BotSettings), from_environment(Settings)
    except BotSettingsError as error:
        sys.exit(f"emotions-bot: {error}")
    configure(settings)
    for warning in misspelt(BotSettings) + misspelt():
        structlog.get_logger("emotions.bot").warning("setting.unknown", reason=warning)
    logging.getLogger("telegram.ext").addFilter(_without_start_errors)
    # Many applications drop the orientation of a photograph before they send it.
    options = default_options(settings)._replace(keep_image=True, orientation="auto")
    analyzer = open_analyzer(settings, options, bot.url)
    try:
        create_application(bot, analyzer).run_polling(allowed_updates=["message"])
    except (EngineError, CommandError) as error:
        sys.exit(f"emotions-bot: {error}")
    except InvalidToken:
        sys.exit("emotions-bot: Telegram does not know this token")
    except TelegramError as error:  # at the start only; later the library retries
        sys.exit(f"emotions-bot: no answer from {bot.api} ({error}); try again later")


def _without_start_errors(record: logging.LogRecord) -> bool:
    """Drop the library's log of an error that `main` prints as one line."""
    return not (record.exc_info and isinstance(record.exc_info[1], TelegramError))


if __name__ == "__main__":
    main()
