"""Forgetting a shop that has gone: its customers are erased as far as they may be, then its connection ends.

What is open or held stays for as long as it is, and is looked at again each hour. Only once nothing stays are the
connection's secrets and the bodies that it received destroyed: until then its wish to be forgotten is one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from adapters.edges.accounts import Connected
from adapters.edges.inbox import Inbox
from adapters.edges.inbox_rows import InboxRow, InboxState, WorkedOn
from adapters.tenants import Tenant
from ledger.engine.commands import own_command
from ledger.engine.log_rows import Ended
from ledger.facts import changes_of
from ledger.nouns import connections
from ledger.nouns.connections import ConnectionRemoved
from ledger.view import View

_AGAIN = timedelta(hours=1)
_MOST_NAMED = 5


class Portion(NamedTuple):
    """Some orders of a channel of which personal data was kept."""

    last: str
    """The last of them, to go on behind it."""
    kept: Sequence[str]
    """Those that have to stay."""


EraseSome = Callable[[Tenant, str, str, str], Awaitable[Portion | None]]
"""Erases the customers of some orders of a channel, behind an order, as an actor; None where there are no more."""


class Forgetting:
    """Forgets what came by a connection."""

    def __init__(self, erase: EraseSome) -> None:
        self._erase = erase

    async def forget(
        self, tenant: Tenant, row: InboxRow, connected: Mapping[str, Connected], due: datetime | None, until: float
    ) -> WorkedOn:
        """What comes of it until then, by the clock of the event loop."""
        one = connected[row.connection]
        if others := _others(connected, one):
            look = f"the shop has gone, and {others[0]} has its channel too: erase its customers, then remove it"
            return WorkedOn(InboxState.FAILED, look, look=look, due=due)
        actor, after, kept = f"edge/{one.system.name}/{row.connection}", "", list[str]()
        while (portion := await self._erase(tenant, one.account.channel, after, actor)) is not None:
            after, kept = portion.last, [*kept, *portion.kept]
            if asyncio.get_running_loop().time() > until:
                return _again("its customers are being erased", timedelta())
        if kept:
            named = ", ".join(kept[:_MOST_NAMED])
            why = f"the shop has gone; the customers of {len(kept)} orders stay, which are open or held: {named}"
            is_late = due is not None and datetime.now(UTC) > due
            return WorkedOn(InboxState.FAILED, why, look=why, due=due) if is_late else _again(why, _AGAIN)
        await _remove(tenant, row, actor)
        return WorkedOn(InboxState.DONE, "the customers of its orders were erased, and the connection was removed")


def _others(connected: Mapping[str, Connected], one: Connected) -> list[str]:
    """Connections under whose orders those of this one are not found."""
    there = ((name, each) for name, each in connected.items() if each.system.role == one.system.role)
    return [name for name, each in there if each is not one and each.account.channel == one.account.channel]


def _again(reason: str, pause: timedelta) -> WorkedOn:
    return WorkedOn(InboxState.EARLY, reason, next_at=datetime.now(UTC) + pause, is_attempt=bool(pause))


async def _remove(tenant: Tenant, row: InboxRow, actor: str) -> None:
    """The keys of its secrets and bodies end with the fact."""
    stream = connections.stream()
    removed = ConnectionRemoved(row.connection, actor, datetime.now(UTC))

    def decide(view: View) -> Any:
        return changes_of(stream, connections.remove(connections.find(view), removed))

    command = own_command(f"forgotten:{row.reception_id}", actor, decide, (stream,))
    ended = Ended([connections.owner_of_keys(row.connection)])
    await tenant.ledger.execute(replace(command, destroys=lambda _: ended))
    await Inbox.of(tenant).forget_all(row.connection)
