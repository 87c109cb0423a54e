"""Messages that reached nobody are looked at again when something changes that they depend on.

What is no longer true needs nobody any more; what only lacked an address is tried again once there is another one.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from adapters.messages.envelope import Erased
from adapters.messages.letters import Letters
from adapters.tenants import Tenant
from ledger.decisions import notices
from ledger.decisions.notices import Notice
from ledger.engine.commands import Command, own_command
from ledger.engine.statements import in_schema
from ledger.engine.trouble import is_trouble
from ledger.facts import Change
from ledger.nouns import messages
from ledger.refusals import Exhausted, Unavailable
from ledger.view import View
from projections import outbox
from projections.outbox import Look

log = logging.getLogger("fulfilment.outbox")

_ACTOR = "outbox"
_MOST = 500
"""The newest that reached nobody; of older ones people see the work."""
_TOUCHED = """
    SELECT DISTINCT originator_id FROM {schema}.ledger_events
    WHERE notification_id > %s AND notification_id <= %s
"""


class Unreached:
    """Follows the log of each tenant on behalf of its messages that reached nobody."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._followed: dict[str, int] = {}
        """To which position, by tenant; all of them are looked at once after a start."""

    def has_followed(self, tenant: Tenant, look: Look) -> bool:
        """Whether there is nothing to look at: nothing changed since, or there are no such messages."""
        if not look.has_unreached:
            self._followed[tenant.name] = look.position
        return self._followed.get(tenant.name) == look.position

    async def look(self, connection: AsyncConnection[Any], tenant: Tenant, position: int, now: datetime) -> None:
        """Looks at those that changed by this position, which the read model of messages has come to."""
        before = self._followed.get(tenant.name)
        if before == position:
            return
        found = await outbox.reached_nobody(connection, tenant.schema, _MOST)
        if found and before is not None:
            touched = await _touched(connection, tenant.schema, before, position)
            found = [each for each in found if not touched.isdisjoint(notices.streams_of(each.message_id, each.about))]
        view = await self._letters.present(tenant.log, [(each.message_id, each.about) for each in found])
        commands = [each for notice in found if (each := await self._command(tenant, view, notice, position, now))]
        answers = await tenant.ledger.execute_many(commands)
        if not any(isinstance(answer, Exhausted | Unavailable) for answer in answers):
            self._followed[tenant.name] = position

    async def _command(
        self, tenant: Tenant, view: View, notice: Notice, position: int, now: datetime
    ) -> Command | None:
        """What is to be recorded of a message; None, so that nothing is stored, where nothing changed for it."""
        message_id = notice.message_id
        try:
            reachable = await self._is_reachable(tenant, view, message_id)
            if not _decide(view, message_id, reachable, now):
                return None
        except Exception as error:
            if is_trouble(error):
                raise
            said = {"tenant": tenant.name, "position": position}
            log.exception("message %s of %s cannot be looked at again", message_id, tenant.name, extra=said)
            return None
        return own_command(
            f"again:{message_id}:{position}",
            _ACTOR,
            lambda view: _decide(view, message_id, reachable, now),
            notices.streams_of(message_id, notice.about),
        )

    async def _is_reachable(self, tenant: Tenant, view: View, message_id: str) -> bool | None:
        """Whether its reader has an address, if it failed for want of one; None once the person was erased."""
        message = messages.find(view, message_id)
        if message is None or not message.lacks_address:
            return False
        try:
            return await self._letters.has_address(tenant.log, view, message.asked)
        except Erased:
            return None


def _decide(view: View, message_id: str, reachable: bool | None, now: datetime) -> list[Change]:
    if reachable is None:
        return notices.end(view, message_id, "person_erased", now)
    return notices.look_again(view, message_id, reachable, now)


async def _touched(connection: AsyncConnection[Any], schema: str, after: int, until: int) -> set[str]:
    """The streams with facts after one position and up to another."""
    cursor = await connection.execute(in_schema(_TOUCHED, schema), (after, until))
    return {stream for (stream,) in await cursor.fetchall()}
