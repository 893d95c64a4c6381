"""`emotions keys`: make the keys that clients show."""

from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import tell, told
from service.http.keyring import KeysError, new_key
from service.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Make API keys.")


@app.callback()
def keys() -> None:
    """Make API keys."""


@app.command()
@told
def new(
    name: Annotated[str, typer.Argument(help="Whose it is; shown in metrics and logs")],
    file: Annotated[
        Path | None, typer.Option(help="File of keys; by default EMOTIONS_API_KEYS_FILE")
    ] = None,
) -> None:
    """Print a new key, once, and put its hash into the file of keys; a running service sees it."""
    key, remembered = new_key(name)
    kept = file or Settings().api_keys_file
    if kept is None:
        tell(f"put this line into the file that EMOTIONS_API_KEYS_FILE names: {remembered.line()}")
    else:
        _append(kept, remembered.line())
        tell(f"{kept}: {name} added; take its line out to end it. This key is not shown again:")
    typer.echo(key)


def _append(file: Path, line: str) -> None:
    """Add a line; a file that ends without a newline gets one first."""
    try:
        text = file.read_text("utf-8") if file.exists() else ""
        file.touch(mode=0o600)
        with file.open("a", encoding="utf-8") as opened:
            opened.write(f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"{file}: cannot be written ({error}); name another with --file") from (
            error
        )
