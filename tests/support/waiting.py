"""Waiting for what a service does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(condition: Callable[..., Any], seconds: float = 60.0, pause: float = 0.1) -> Any:
    """What the condition gives, once that is true of it; asked again after each pause."""
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(pause)
    return found
