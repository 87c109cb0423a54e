"""The token by which the console proves who asks: out of a file or the environment."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

import click

from adapters.console.terminal import files
from adapters.console.terminal.client import Token

VARIABLE = "FULFILMENT_TOKEN"


def read_token(file: str) -> Token:
    """The first line of the file, or else what the environment holds; empty if there is neither."""
    if not file:
        return Token(os.environ.get(VARIABLE, "").strip(), VARIABLE)
    text = files.text(file).partition("\n")[0].strip()
    if not text:
        raise click.UsageError(f"--token-file {file} is empty; its first line is to be the token")
    return Token(text, file)


def others_can_read(file: str) -> bool:
    """Whether the rights of a file let other users of the machine read it; a pipe has no such rights."""
    with suppress(OSError):
        mode = os.stat(file).st_mode
        return os.name == "posix" and stat.S_ISREG(mode) and bool(stat.S_IMODE(mode) & 0o077)
    return False
