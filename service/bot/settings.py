"""What the bot can be set to."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class BotSettings(BaseSettings):
    """Settings by environment, prefix `EMOTIONS_BOT_`; the pipeline's own are `EMOTIONS_...`."""

    model_config = SettingsConfigDict(env_prefix="EMOTIONS_BOT_", frozen=True)

    token: SecretStr = Field(description="The bot's token, from @BotFather")
    url: str | None = Field(
        default=None, description="Service to ask; by default the pipeline runs in the bot"
    )
    api: str = Field(default="https://api.telegram.org", description="Address of the Bot API")
    a_chat: int = Field(default=4, ge=1, description="Photographs of one chat under way at once")
    max_bytes: int = Field(
        default=20_000_000, ge=1, description="Largest file; the Bot API hands out no larger ones"
    )
