"""What a line of the service's log is about: whose ledger, which request, which position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar

Told = Mapping[str, object]
NAMES = ("tenant", "request_id", "position")
"""What a line can say. A record that knows it better says it by itself, as ``extra``."""

_nothing: Callable[[], Told] = dict
ABOUT: ContextVar[Callable[[], Told]] = ContextVar("about", default=_nothing)
"""What the work of a task is about; it is asked only where there is a line to write."""


def works_for(tenant: str) -> None:
    """What this task logs from now on is about a tenant."""
    ABOUT.set(lambda: {"tenant": tenant})
