"""Retention by the clock: what has been kept for as long as the policy says is erased, kind by kind.

The read model says what may be due; each decision looks at the present again, and the keys end with its facts in one
transaction. A day later what was found and had to stay is asked for once more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.edges.inbox import Inbox
from adapters.messages.senders import FileSender
from adapters.streams import read, reading
from adapters.tenants import Tenant
from ledger.decisions import retention
from ledger.decisions.retention import Copies, Expiry
from ledger.decisions.timers import RetentionDue, SupplierContactDue, Timer
from ledger.engine.commands import Command, own_command
from ledger.engine.log_rows import Ended
from ledger.engine.sealing import PersonKey, Sealer, StoredKey, TenantSealer, Unreadable, placed
from ledger.facts import Change
from ledger.nouns import orders, policies, suppliers
from ledger.nouns.orders import InvoiceCustomerCopied
from ledger.nouns.orders.supplier_orders import ShipTo
from ledger.nouns.policies import policy_at
from ledger.terms.retention import INVOICE_KEYS, PersonalKind
from ledger.view import View
from projections import outbox
from projections.machine.reads import state_now
from projections.retention import ON_INVOICE, DueData, due

log = logging.getLogger("fulfilment.retention")

MOST_AT_ONCE = 500
PRINTED = ("name", "lines", "city", "postal_code")
"""What invoices show of a customer."""


class _Asked(NamedTuple):
    """What was asked for on a day."""

    day: date
    objects: frozenset[DueData]


class _Copied(NamedTuple):
    """What was sealed for invoices, and the keys of that."""

    copies: Copies = Copies()
    keys: Sequence[PersonKey] = ()


_NOTHING = _Copied()


class Expiring:
    """Erases what has been kept for long enough, of one tenant after the other."""

    def __init__(self, files: FileSender | None = None, sealer: Sealer | None = None) -> None:
        self._files = files
        self._sealer = sealer
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
        await self._remove_beside(tenant, wanted, now)
        copied = await self._copied(tenant, [each.object_id for each in wanted if each.stays_as == ON_INVOICE], now)
        commands = {
            (each.object_id, each.kind is None): _command(each, copied.get(each.object_id, _NOTHING), now)
            for each in reversed(wanted)
        }
        await tenant.ledger.execute_many(list(commands.values()))
        return len(commands)

    async def _remove_beside(self, tenant: Tenant, found: Iterable[DueData], now: datetime) -> None:
        """Files, and what was received of shops, go before it is recorded, so that none is left after a crash."""
        order_ids = {each.object_id for each in found if each.kind in (PersonalKind.CUSTOMER, PersonalKind.LETTERS)}
        if not order_ids:
            return

        def still_due(view: View) -> dict[str, list[PersonalKind]]:
            return {each: retention.due_kinds(view, each, now) for each in order_ids}

        kinds = await reading(tenant.log, still_due)
        if gone := [each for each in kinds if PersonalKind.CUSTOMER in kinds[each]]:
            await Inbox.of(tenant).forget(gone)
        written = [each for each in kinds if PersonalKind.LETTERS in kinds[each]]
        if self._files is not None and written:
            async with tenant.log.pool.connection() as connection:
                sent = await outbox.messages_of(connection, tenant.schema, written)
            await self._files.remove(tenant.name, sent)

    async def _copied(self, tenant: Tenant, order_ids: Sequence[str], now: datetime) -> dict[str, _Copied]:
        """Name and address of customers on invoices, sealed once more: they stay as long as the invoice."""
        if self._sealer is None or not order_ids:
            return {}
        view, _ = await read(tenant.log, list(map(orders.stream, order_ids)))
        found = [order for each in order_ids if (order := orders.find(view, each)) is not None]
        shown = {order.order_id: order.invoicing.uncopied for order in found}
        keys = await tenant.log.keys_of([key_id for each in shown.values() for key_id in each])
        sealer = self._sealer.of(tenant.schema)
        return {order_id: _copies(sealer, order_id, places, keys, now) for order_id, places in shown.items()}


def _copies(
    sealer: TenantSealer,
    order_id: str,
    places: Mapping[str, ShipTo],
    keys: Mapping[str, StoredKey | None],
    now: datetime,
) -> _Copied:
    facts, made = list[InvoiceCustomerCopied](), list[PersonKey]()
    for key_id, ship_to in places.items():
        key, customer = keys.get(key_id), ship_to.customer
        if key is None or customer is None:
            continue
        try:
            personal = sealer.unseal(customer, key, placed(ship_to.sealed_for, "customer"))
        except Unreadable as error:
            log.warning("no invoice will show it: %s", error)
            continue
        printed = {name: value for name, value in personal.items() if name in PRINTED}
        sealed, new = sealer.seal(printed, orders.anchor(order_id), placed(order_id, "customer"))
        facts.append(InvoiceCustomerCopied(order_id, key_id, sealed, now))
        made.append(replace(new, purpose=INVOICE_KEYS))
    return _Copied(Copies(tuple(facts), frozenset(places)), tuple(made))


def _command(found: DueData, copied: _Copied, now: datetime) -> Command:
    """What is found on another day is asked for again, under another id."""
    if found.kind is None:
        supplier_id = found.object_id
        timer: Timer = SupplierContactDue(supplier_id=supplier_id, due=found.due)

        def decide(view: View) -> list[Change]:
            return timer.notice(view, now)

        streams = (suppliers.stream(supplier_id), policies.stream())

        def ending(view: View) -> Ended:
            return _ended(retention.ending_contact(view, supplier_id, now))

    else:
        order_id = found.object_id
        timer = RetentionDue(order_id=order_id, due=found.due)

        def decide(view: View) -> list[Change]:
            return retention.expire(view, order_id, now, copied.copies)

        streams = (orders.stream(order_id), policies.stream())

        def ending(view: View) -> Ended:
            return _ended(retention.ending(view, order_id, now, copied.copies))

    command = own_command(timer.request(now.date().toordinal()), retention.CLOCK, decide, streams)
    return replace(command, destroys=ending, keys=copied.keys)


def _ended(ending: Expiry) -> Ended:
    return Ended(ending.subjects, ending.streams, ending.purposes)
