"""What the log says that foreign systems may have to be told: which orders, SKUs and numbers something happened to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from adapters.tenants import Tenant
from ledger.decisions.telling import WORTH_A_TEXT
from ledger.engine.registry import Registry
from ledger.engine.statements import in_schema
from ledger.facts import Fact
from ledger.nouns import NOUNS, connections, orders, stock
from ledger.nouns.connections import ConnectionAdded, OrdersToBeTold, StockToBeTold
from ledger.nouns.messages import MessageAsked
from ledger.nouns.offers import OfferWithdrawn, SkuOffered
from ledger.nouns.orders import HoldPlaced, HoldReleased, UnitsCancelled
from ledger.nouns.orders.after_sales import RefundBooked
from ledger.nouns.orders.supplier_orders import (
    CancelAgreed,
    CancelRequested,
    ShipmentVoided,
    SupplierOrderShipped,
    TrackingCorrected,
)
from ledger.nouns.parcels import ParcelLinked, ParcelRegistered
from ledger.nouns.skus import SkuDelisted, SkuDescribed, SkuRelisted
from ledger.nouns.suppliers import SupplierApproved, SupplierReinstated, SupplierRetired, SupplierSuspended

MOST_FACTS = 5_000
"""Of the log at once."""

_FACTS: tuple[type[Fact], ...] = (
    *(SupplierOrderShipped, ShipmentVoided, TrackingCorrected),
    *(HoldPlaced, HoldReleased, UnitsCancelled, CancelRequested, CancelAgreed, RefundBooked),
    *(SkuDelisted, SkuRelisted, SkuDescribed, SkuOffered, OfferWithdrawn),
    *(SupplierApproved, SupplierSuspended, SupplierReinstated, SupplierRetired),
    *(ParcelRegistered, ParcelLinked, StockToBeTold, OrdersToBeTold, MessageAsked),
    *stock.NOUN.facts,
)
_TOPICS = [each.fact_name() for each in _FACTS]
_WITH_ALL_OF_ORDERS = [*{*_TOPICS, *(each.fact_name() for each in orders.NOUN.facts)}]
_REGISTRY = Registry(NOUNS)

_PAGE = """
    SELECT e.notification_id, e.originator_id, e.topic, e.state, coalesce(c.actor, '')
    FROM {schema}.ledger_events AS e LEFT JOIN {schema}.ledger_commands AS c ON c.request_id = e.command
    WHERE e.notification_id > %b AND e.notification_id <= %b AND e.topic = ANY(%b::text[]) ORDER BY e.notification_id
"""


@dataclass
class Touched:
    """What happened in a stretch of the log."""

    until: int
    """Its last position."""
    head: int
    """Of the log, when it was read."""
    orders: dict[str, list[tuple[Fact, str]]] = field(default_factory=dict)
    """What happened to each, and whose command it was."""
    skus: set[str] = field(default_factory=set)
    suppliers: set[str] = field(default_factory=set)
    """Whose SKUs all may be sold differently now."""
    numbers: set[tuple[str, str]] = field(default_factory=set)
    """Carrier and number."""
    messages: list[MessageAsked] = field(default_factory=list)
    """To customers, of the kinds that are worth a text."""
    all_stock: set[str] = field(default_factory=set)
    """The connections that are to be told all levels."""
    orders_since: dict[str, datetime] = field(default_factory=dict)
    """The connections that are to be told again of orders, and since when."""

    def note(self, stream: str, fact: Fact, actor: str) -> None:
        match fact:
            case ParcelRegistered() | ParcelLinked():
                self.numbers.add((fact.carrier, fact.number))
            case MessageAsked():
                self.messages += [fact] if fact.kind in WORTH_A_TEXT else []
            case StockToBeTold():
                self.all_stock.add(fact.name)
            case OrdersToBeTold():
                self.orders_since[fact.name] = min(fact.since, self.orders_since.get(fact.name, fact.since))
            case SkuDescribed():
                self.skus |= {fact.sku} if fact.parts is not None else set()
            case SkuDelisted() | SkuRelisted() | SkuOffered() | OfferWithdrawn():
                self.skus.add(fact.offer.sku if isinstance(fact, SkuOffered) else fact.sku)
            case SupplierApproved() | SupplierSuspended() | SupplierReinstated() | SupplierRetired():
                self.suppliers.add(fact.supplier_id)
            case _:
                self.orders.setdefault(stream.removeprefix("order-"), []).append((fact, actor))


async def touched(tenant: Tenant, after: int, until: int, *, all_of_orders: bool = False) -> Touched:
    """What happened after a position and until another, in so many facts at most.

    ``all_of_orders`` where somebody is told how orders stand, which nearly all that happens to them may change.
    """
    head = await tenant.log.head()
    found = Touched(min(head, until, after + MOST_FACTS), head)
    if found.until <= after:
        return found
    for _, stream, topic, state, actor in await _rows(
        tenant, after, found.until, _WITH_ALL_OF_ORDERS if all_of_orders else _TOPICS
    ):
        if stream.startswith("stock-"):  # hot, and its name says all
            found.skus.add(stream.partition("/")[2])
        else:
            found.note(stream, _REGISTRY.decode(topic, bytes(state)), actor)
    return found


async def _rows(tenant: Tenant, after: int, until: int, topics: list[str]) -> list[tuple[Any, ...]]:
    query = in_schema(_PAGE, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        cursor = await connection.execute(query, (after, until, topics), binary=True)
        return cast("list[tuple[Any, ...]]", await cursor.fetchall())


async def added_at(tenant: Tenant, name: str, at: datetime) -> int:
    """The position of the log at which a connection was added."""
    for past in await tenant.log.history([connections.stream()], limit=100_000):
        if past.topic == ConnectionAdded.fact_name():
            added = _REGISTRY.decode(past.topic, bytes(past.state))
            if isinstance(added, ConnectionAdded) and (added.name, added.at) == (name, at):
                return past.position
    return 0


async def position_at(tenant: Tenant, at: datetime) -> int:
    """The last position of the log that was recorded before a time."""
    query = in_schema(_BEFORE, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        row = await (await connection.execute(query, (at,))).fetchone()
    assert row is not None, "an aggregate is a row"
    return int(row[0])


_BEFORE = "SELECT coalesce(max(position), 0) FROM {schema}.ledger_commands WHERE decided_at < %s"
