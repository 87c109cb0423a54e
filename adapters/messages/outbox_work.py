"""A tenant's outbox while one process works on it: what is handled, and what was handled lately."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import NamedTuple

from psycopg_pool import PoolTimeout

from adapters.tenants import Tenant
from ledger.decisions.notices import Notice
from ledger.engine.trouble import is_trouble
from ledger.nouns.policies import Policy
from ledger.refusals import Exhausted, Unavailable

log = logging.getLogger("fulfilment.outbox")

ACTOR = "outbox"
"""The name that its commands are recorded under; no client can have it."""

LOOK_AGAIN_SECONDS = 900.0
"""After no message was needed although a clock runs out soon."""
_TROUBLE = (PoolTimeout, Exhausted, Unavailable)


class HandledMessage(NamedTuple):
    """A message that was handled lately, which the read model may not show yet."""

    notice: Notice
    position: int
    again_at: float
    """Not before then, in the time of the event loop."""
    in_line: bool = False
    """Whether it only waits for an earlier one of its thread, with which it is looked at."""


Thread = list[Notice]
"""Messages to the same people about one object, which keep their order."""


class OutboxWork(NamedTuple):
    """A tenant's outbox while this process leads it."""

    tenant: Tenant
    policy: Policy
    now: datetime
    handled: dict[str, HandledMessage]
    position: int
    """Of the read model of messages."""

    def remember(self, notice: Notice, position: int, seconds: float = 0.0, *, in_line: bool = False) -> None:
        """Notes that a message was handled: it is not looked at again for some seconds, nor before the position."""
        again_at = asyncio.get_running_loop().time() + seconds
        self.handled[notice.message_id] = HandledMessage(notice, position, again_at, in_line)

    def set_aside(self, thread: Thread, error: BaseException) -> None:
        """Skips messages that fail, so that the others go on; raises errors that concern all of them."""
        if not isinstance(error, Exception) or is_trouble(error) or isinstance(error, _TROUBLE):
            raise error
        for notice in thread:
            message_id, tenant = notice.message_id, self.tenant.name
            log.error("message %s of %s failed and is tried later", message_id, tenant, exc_info=error)
            self.remember(notice, 0, LOOK_AGAIN_SECONDS)
