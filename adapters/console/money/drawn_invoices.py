"""An invoice of the retailer's, whichever it is: as a page, as JSON, and as PDF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.console.terminal import files
from adapters.console.terminal.session import Session


def show_drawn(session: Session, answer: Any, pdf: str | None, page: Callable[[Session, Any], None]) -> None:
    """An invoice as a page or as JSON; its PDF goes to that file."""
    if pdf is not None:
        files.write(pdf, lambda path: path.write_bytes(answer.pdf))
    if session.json:
        session.show(answer.invoice)
        return
    page(session, answer.invoice)
    if pdf is not None:
        session.out.blank()
        session.out.say(f"Written to {pdf}.")
