"""How far long work is, as a bar at a terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress, ProgressColumn

from adapters.console.session import Session


def bar_of(session: Session, *columns: ProgressColumn | str) -> Progress:
    """A bar on standard error that goes once it is done; it shows nothing where that is no terminal, or with --json."""
    quiet = session.json or not sys.stderr.isatty()
    return Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)
