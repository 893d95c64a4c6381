"""`emotions keys`."""

from pathlib import Path
from typing import Annotated

import typer

from offline.cli.console import print_line, report_errors
from service.http.keys import KeysError, new_key
from service.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Make API keys.")


@app.callback()
def keys() -> None:
    """Make API keys."""


@app.command()
@report_errors
def new(
    name: Annotated[str, typer.Argument(help="Name of the client, for metrics and logs")],
    file: Annotated[
        Path | None, typer.Option(help="File of keys; by default EMOTIONS_API_KEYS_FILE")
    ] = None,
) -> None:
    """Print a new key once, and add its hash to the file of keys. A running service reloads it."""
    key, entry = new_key(name)
    path = file or Settings().api_keys_file
    if path is None:
        print_line(f"add this line to the file that EMOTIONS_API_KEYS_FILE names: {entry.line()}")
    else:
        _append(path, entry.line())
        print_line(f"{path}: {name} added; remove its line to revoke it. The key is shown once:")
    typer.echo(key)


def _append(path: Path, line: str) -> None:
    """Append a line, after a newline if the file lacks one at its end."""
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        path.touch(mode=0o600)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"cannot write {path} ({error}); name another file with --file") from error
