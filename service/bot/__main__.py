"""`emotions-bot`: poll Telegram until SIGTERM or Ctrl-C."""

import sys

from pydantic import ValidationError

from engines.errors import EngineError
from service.bot.settings import BotSettings
from service.logs import configure
from service.readers import RemoteFailed, opened
from service.settings import Settings
from service.stages import Options

try:
    from telegram.error import InvalidToken

    from service.bot.app import create
except ModuleNotFoundError:
    sys.exit("emotions-bot: `pip install '.[bot]'` in the repository brings what it needs")


def main() -> None:
    """Run the bot."""
    try:
        bot, settings = BotSettings.model_validate({}), Settings()
    except ValidationError:
        sys.exit("emotions-bot: set EMOTIONS_BOT_TOKEN to the token that @BotFather gave you")
    configure(settings)
    options = Options(settings.min_score, settings.max_faces, keep_image=True)
    reader = opened(settings, options, bot.url)
    try:
        create(bot, reader).run_polling(allowed_updates=["message"])
    except (EngineError, RemoteFailed) as error:
        sys.exit(f"emotions-bot: {error}")
    except InvalidToken:
        sys.exit("emotions-bot: Telegram does not know this token")


if __name__ == "__main__":
    main()
