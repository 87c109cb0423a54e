"""The token by which the console proves who asks: out of a file or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import click

VARIABLE = "FULFILMENT_TOKEN"


class Token(NamedTuple):
    """A token, and where it stood."""

    text: str
    source: str

    @property
    def client(self) -> str:
        """Whose it is, which a token of a registered client says; empty if there is none."""
        kind, _, rest = self.text.partition("_")
        return rest.partition("_")[0] if kind == "flk" else ""

    def __repr__(self) -> str:
        return f"Token(of {self.source})"


def read_token(file: str) -> Token:
    """The first line of the file, or else what the environment holds; empty if there is neither."""
    if not file:
        return Token(os.environ.get(VARIABLE, "").strip(), VARIABLE)
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise click.UsageError(f"--token-file {file} cannot be read ({why})") from None
    if not text:
        raise click.UsageError(f"--token-file {file} is empty; its first line is to be the token")
    return Token(text, file)
