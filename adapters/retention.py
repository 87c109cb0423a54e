"""Retention by the clock: what has been kept for as long as the policy says is erased, kind by kind.

The read model says what may be due; each decision looks at the present again, and the keys end with its facts in one
transaction. A day later what was found and had to stay is asked for once more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.senders import FileSender
from adapters.streams import reading
from adapters.tenants import Tenant
from ledger.decisions import retention
from ledger.decisions.retention import Expiry
from ledger.decisions.timers import RetentionDue, SupplierContactDue, Timer
from ledger.engine.executor import Command, own_command
from ledger.engine.log import Ended
from ledger.nouns import orders, policies, suppliers
from ledger.nouns.policies import policy_at
from ledger.terms.retention import PersonalKind
from ledger.view import View
from projections import outbox
from projections.machine.reads import state_now
from projections.retention import DueData, due

MOST_AT_ONCE = 500


class _Asked(NamedTuple):
    """What was asked for on a day."""

    day: date
    objects: frozenset[DueData]


class Expiring:
    """Erases what has been kept for long enough, of one tenant after the other."""

    def __init__(self, files: FileSender | None = None) -> None:
        self._files = files
        self._asked: dict[str, _Asked] = {}

    async def tick(self, tenant: Tenant, now: datetime) -> int:
        """Asks the ledger to erase what is due by now; returns for how many orders and suppliers."""
        async with tenant.log.pool.connection() as connection:
            stated = await state_now(connection, tenant.schema, policies.NOUN, policies.stream())
            found = await due(connection, tenant.schema, policy_at(stated, now), now, MOST_AT_ONCE)
        asked = self._asked.get(tenant.name)
        before = asked.objects if asked is not None and asked.day == now.date() else frozenset()
        wanted = [each for each in found if each not in before]
        self._asked[tenant.name] = _Asked(now.date(), before.intersection(found).union(wanted))
        await self._remove_letters(tenant, wanted, now)
        commands = {(each.object_id, each.kind is None): _command(each, now) for each in reversed(wanted)}
        await tenant.ledger.execute_many(list(commands.values()))
        return len(commands)

    async def _remove_letters(self, tenant: Tenant, found: Iterable[DueData], now: datetime) -> None:
        """Files go before it is recorded that they did, so that none is left after a crash."""
        order_ids = [each.object_id for each in found if each.kind is PersonalKind.LETTERS]
        if self._files is None or not order_ids:
            return

        def still_due(view: View) -> list[str]:
            return [each for each in order_ids if PersonalKind.LETTERS in retention.due_kinds(view, each, now)]

        order_ids = await reading(tenant.log, still_due)
        async with tenant.log.pool.connection() as connection:
            sent = await outbox.messages_of(connection, tenant.schema, order_ids)
        await self._files.remove(tenant.name, sent)


def _command(found: DueData, now: datetime) -> Command:
    """What is found on another day is asked for again, under another id."""
    if found.kind is None:
        supplier_id = found.object_id
        timer: Timer = SupplierContactDue(supplier_id=supplier_id, due=found.due)
        streams = (suppliers.stream(supplier_id), policies.stream())

        def ending(view: View) -> Ended:
            return _ended(retention.ending_contact(view, supplier_id, now))

    else:
        order_id = found.object_id
        timer = RetentionDue(order_id=order_id, due=found.due)
        streams = (orders.stream(order_id), policies.stream())

        def ending(view: View) -> Ended:
            return _ended(retention.ending(view, order_id, now))

    command = own_command(
        timer.request(now.date().toordinal()), retention.CLOCK, lambda view: timer.notice(view, now), streams
    )
    return replace(command, destroys=ending)


def _ended(ending: Expiry) -> Ended:
    return Ended(ending.subjects, ending.streams, ending.purposes)
