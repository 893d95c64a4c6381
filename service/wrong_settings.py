"""Sentences about variables of the environment that are misspelt or have a wrong value."""

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource

from service import names
from service.settings import Settings

# A variable that is this similar to a setting is a misspelling of it.
SIMILARITY = 0.75


def misspelt(kind: type[BaseSettings] = Settings) -> list[str]:
    """Describe each variable of the environment that resembles a setting of `kind` but is not one.

    Others are ignored: Kubernetes sets variables for a Service that is named emotions, and the bot
    checks its own.
    """
    prefix = kind.model_config.get("env_prefix", "")
    given = (
        name.upper().removeprefix(prefix)
        for name in EnvSettingsSource(kind).env_vars
        if name.upper().startswith(prefix)
    )
    unknown = (name for name in given if name.lower() not in kind.model_fields)
    found = ((name, names.nearest(name, kind.model_fields, SIMILARITY)) for name in unknown)
    return [
        f"{prefix}{name} is unknown and has no effect; did you mean {prefix}{setting.upper()}?"
        for name, setting in found
        if setting and not name.startswith("BOT_")
    ]


def explain(kind: type[BaseSettings], error: ValidationError) -> str:
    """Describe which settings of `kind` are wrong, without their values: one may be a key."""
    return "; ".join(
        _explain_one(kind, ".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()
    )


def _explain_one(kind: type[BaseSettings], name: str, message: str) -> str:
    field = kind.model_fields.get(name.partition(".")[0])
    about = f" ({field.description})" if field and field.description else ""
    return f"{kind.model_config.get('env_prefix', '')}{name.upper()}: {message}{about}"
