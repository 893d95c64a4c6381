"""What the bot can be set to."""

from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings import wrong

S = TypeVar("S", bound=BaseSettings)


class BotSettingsError(Exception):
    """Which settings are wrong and how; never what they are, which may be the token."""


class BotSettings(BaseSettings):
    """Settings by environment, prefix `EMOTIONS_BOT_`; the pipeline's own are `EMOTIONS_...`."""

    model_config = SettingsConfigDict(env_prefix="EMOTIONS_BOT_", frozen=True)

    token: SecretStr = Field(description="The bot's token, from @BotFather")
    url: str | None = Field(
        default=None, description="Service to ask; by default the pipeline runs in the bot"
    )
    api: str = Field(default="https://api.telegram.org", description="Address of the Bot API")
    a_chat: int = Field(default=4, ge=1, description="Photographs of one chat read at once")
    waiting: int = Field(
        default=16,
        ge=0,
        description="Photographs of one chat that wait for these; more are refused",
    )
    max_bytes: int = Field(
        default=20_000_000, ge=1, description="Largest file; the Bot API hands out no larger ones"
    )


def from_environment(kind: type[S]) -> S:
    """Read settings, the bot's or the pipeline's.

    Raises:
        BotSettingsError: one is missing or not valid.
    """
    try:
        return kind.model_validate({})
    except ValidationError as error:
        raise BotSettingsError(f"{wrong(kind, error)}; correct it in the environment") from None
