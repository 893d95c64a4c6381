"""Settings of the bot."""

from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.wrong_settings import explain

S = TypeVar("S", bound=BaseSettings)


class BotSettingsError(Exception):
    """Names the wrong settings without their values: one of them is the token."""


class BotSettings(BaseSettings):
    """Settings from environment variables `EMOTIONS_BOT_...`; the pipeline has `EMOTIONS_...`."""

    model_config = SettingsConfigDict(env_prefix="EMOTIONS_BOT_", frozen=True)

    token: SecretStr = Field(description="The bot's token, from @BotFather")
    url: str | None = Field(
        default=None,
        description="Service that analyzes the photographs; by default the networks run in the bot",
    )
    api: str = Field(default="https://api.telegram.org", description="Address of the Bot API")
    a_chat: int = Field(
        default=4, ge=1, description="Photographs of one chat that are analyzed at once"
    )
    waiting: int = Field(
        default=16,
        ge=0,
        description="Photographs of one chat that wait for these; more are rejected",
    )
    max_bytes: int = Field(
        default=20_000_000, ge=1, description="Largest file, bytes; the limit of the Bot API"
    )


def from_environment(kind: type[S]) -> S:
    """Return the settings of the bot or of the pipeline.

    Raises:
        BotSettingsError: a setting is missing or not valid.
    """
    try:
        return kind.model_validate({})
    except ValidationError as error:
        raise BotSettingsError(f"{explain(kind, error)}; correct it in the environment") from None
