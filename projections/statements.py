"""What is owed to and by a supplier in a period, and by which facts?

An account for each supplier and currency: what the retailer owes is positive, what the supplier owes is negative.
Goods are owed when they are shipped, at the cost that was frozen when the supplier order was drafted; what is
rejected or cancelled before never was. Compensation is the supplier's debt while it stands. So is what the
supplier accepted of a recovery; a credit note or a deduction only sets that off within this account and moves
nothing, money that it paid comes off, and so does what was written off. Every amount is one entry, which
names the fact that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from ledger.facts import Fact
from ledger.nouns import orders, recoveries
from ledger.nouns.orders.supplier_orders import CompensationAccrued, CompensationReversed, SupplierOrderShipped
from ledger.nouns.recoveries import Kind as RecoveryKind
from ledger.nouns.recoveries import (
    Method,
    Recovery,
    RecoveryAccepted,
    RecoveryFact,
    Status,
)
from ledger.terms.money import in_64_bits
from projections.machine.reads import (
    FIRST,
    LAST,
    Answer,
    PageOf,
    Where,
    snapshot,
)
from projections.machine.streams import OrderHistory, Page, RecoveryHistory
from projections.machine.tables import (
    ID,
    Projection,
    Rows,
    Table,
    Values,
    Written,
)

# --- tables ---------------------------------------------------------------------------------------

ENTRIES = Table(
    "statement_entries",
    2,
    {
        "position": "int8 NOT NULL",  # of the fact
        "line_no": "int4 NOT NULL",  # of the order; 0 where the entry is not about one line
        "supplier_id": ID,
        "currency": ID,
        "kind": ID,
        # Negative where the supplier owes. Units x cost were not always bounded, and what is kept as less would
        # add up to a balance that looks right; amounts without a sign are kept in 64 bits, see in_64_bits.
        "amount_minor": "numeric NOT NULL",
        "at": "timestamptz NOT NULL",
        "stream": ID,
        "fact": ID,
        "object_id": ID,
        "units": "int8 NOT NULL",
    },
    ("(supplier_id, at, position, line_no)",),
)

# --- what is kept ---------------------------------------------------------------------------------


class Kind(StrEnum):
    """What an entry is for."""

    GOODS = "goods"
    GOODS_WITHOUT_COST = "goods_without_cost"
    """Units were shipped that the supplier had made no offer for: nobody knows what is owed."""
    COMPENSATION = "compensation"
    COMPENSATION_REVERSED = "compensation_reversed"
    RECOVERY = "recovery"
    """The supplier accepted to bear a cost."""
    RECOVERY_PAID = "recovery_paid"
    RECOVERY_WRITTEN_OFF = "recovery_written_off"


def changes(page: Page) -> list[Written]:
    """The entries of orders and recoveries; one is never changed, for its fact never is."""
    rows = Rows(ENTRIES)
    for history, now in page.orders():
        if now.accounted:
            rows.replace(history.cached(_of_order) if history else (), now.cached(_of_order))
    for before, after in page.recovery_stories():
        rows.replace(_of_recovery(before) if before else (), _of_recovery(after))
    return [rows]


STATEMENTS = Projection("statements", 2, (ENTRIES,), changes)


def _of_order(history: OrderHistory) -> list[Values]:
    rows: list[Values] = []
    for position, fact in history.accounted:
        match fact:
            case SupplierOrderShipped():
                rows += _goods(history, position, fact)
            case CompensationAccrued():
                owed = -fact.amount.amount_minor
                rows.append(_compensation(history, position, fact, Kind.COMPENSATION, owed))
            case CompensationReversed():
                owed = fact.amount.amount_minor
                rows.append(_compensation(history, position, fact, Kind.COMPENSATION_REVERSED, owed))
    return rows


def _goods(history: OrderHistory, position: int, fact: SupplierOrderShipped) -> Iterator[Values]:
    supplier_order = history.order.supplier_orders[fact.supplier_order_id]
    for line_no, units in fact.by_line.items():
        cost = supplier_order.unit_costs.get(line_no)
        currency = cost.currency if cost else ""
        kind, owed = (Kind.GOODS, units * cost.amount_minor) if cost else (Kind.GOODS_WITHOUT_COST, 0)
        key = (position, line_no, supplier_order.supplier_id, currency)
        yield (*key, kind.value, owed, fact.at, *_source(history, fact), fact.supplier_order_id, units)


def _compensation(
    history: OrderHistory, position: int, fact: CompensationAccrued | CompensationReversed, kind: Kind, owed: int
) -> Values:
    key = (position, 0, fact.supplier_id, fact.amount.currency)
    return (*key, kind.value, owed, fact.at, *_source(history, fact), fact.supplier_order_id, 0)


def _source(history: OrderHistory, fact: Fact) -> tuple[str, str]:
    return orders.stream(history.order.order_id), fact.fact_name()


def _of_recovery(history: RecoveryHistory) -> list[Values]:
    """An entry for each fact that changes what a supplier owes for a recovery, by how much it does."""
    opened = history.recovery.opened
    if opened.kind is not RecoveryKind.SUPPLIER_FAULT:
        return []
    rows: list[Values] = []
    recovery: Recovery | None = None
    for position, fact in history.told:
        before, recovery = recovery, recoveries.evolve(recovery, fact)
        moved = _balance(recovery) - (_balance(before) if before else 0)
        if moved:
            key = (position, 0, opened.subject.supplier_id, opened.currency)
            source = (recoveries.stream(opened.recovery_id), fact.fact_name(), opened.recovery_id)
            rows.append((*key, _kind_of(fact).value, moved, fact.at, *source, 0))
    return rows


def _balance(recovery: Recovery) -> int:
    """What a recovery does to the account: what was accepted, or received before the rest was written off."""
    paid = sum(part.amount_minor for part in recovery.received if part.method is Method.PAYMENT)
    borne = recovery.received_minor if recovery.status is Status.WRITTEN_OFF else recovery.agreed_minor
    return paid - borne


def _kind_of(fact: RecoveryFact) -> Kind:
    match fact:
        case RecoveryAccepted():
            return Kind.RECOVERY
        case recoveries.RecoveryWrittenOff():
            return Kind.RECOVERY_WRITTEN_OFF
        case _:
            return Kind.RECOVERY_PAID


# --- questions ------------------------------------------------------------------------------------


class Total(NamedTuple):
    """All entries of one kind in the period."""

    kind: Kind
    amount_minor: int
    entries: int


class Balance(NamedTuple):
    """An account over the period: opening, what came, closing."""

    currency: str
    opening_minor: int
    totals: tuple[Total, ...]
    closing_minor: int


class Statement(NamedTuple):
    """A supplier's accounts over a period."""

    balances: tuple[Balance, ...]
    units_without_cost: int
    """Shipped in the period without anybody knowing what they cost."""


class Entry(NamedTuple):
    """One amount and the fact that it stands for."""

    position: int
    line_no: int
    supplier_id: str
    currency: str
    kind: Kind
    amount_minor: int
    at: datetime
    stream: str
    fact: str
    object_id: str
    units: int


_TOTALS = """
    SELECT currency, kind, at >= %(since)s AS inside, sum(amount_minor), count(*), sum(units)::int8
    FROM {statement_entries} WHERE supplier_id = %(supplier_id)s AND at < %(until)s
    GROUP BY currency, kind, inside ORDER BY currency, kind
"""
_LIST = """
    SELECT * FROM {statement_entries}
    WHERE supplier_id = %(supplier_id)s AND at >= %(since)s AND at < %(until)s
        AND (at, position, line_no) > (%(after_at)s, %(after_position)s, %(after_line_no)s)
        AND (%(currency)s = '' OR currency = %(currency)s)
    ORDER BY at, position, line_no LIMIT %(limit)s
"""


async def get_statement(
    where: Where, supplier_id: str, since: datetime | None = None, until: datetime | None = None
) -> Answer[Statement]:
    """The accounts of a supplier over [since, until), by currency; one that nothing is owed to or by has none."""
    parameters = {"supplier_id": supplier_id, "since": since or FIRST, "until": until or LAST}
    async with snapshot(where, STATEMENTS) as at:
        rows = await at.rows(_TOTALS, parameters)
        without_cost = sum(row[5] for row in rows if row[1] == Kind.GOODS_WITHOUT_COST and row[2])
        balances = [_account(code, rows) for code in dict.fromkeys(row[0] for row in rows) if code]
        return Answer([Statement(tuple(balances), without_cost)], at.position)


def _account(currency: str, rows: list[tuple[str, str, bool, Decimal, int, int]]) -> Balance:
    mine = [row for row in rows if row[0] == currency]
    opening = sum(int(amount) for _, _, inside, amount, _, _ in mine if not inside)
    came = [(Kind(kind), int(amount), count) for _, kind, inside, amount, count, _ in mine if inside]
    totals = tuple(Total(kind, in_64_bits(amount), count) for kind, amount, count in came)
    closing = opening + sum(amount for _, amount, _ in came)
    return Balance(currency, in_64_bits(opening), totals, in_64_bits(closing))


async def list_entries(
    where: Where,
    page: PageOf,
    supplier_id: str,
    since: datetime | None = None,
    until: datetime | None = None,
    currency: str = "",
) -> Answer[Entry]:
    """The entries of [since, until) by when they happened."""
    after_at, after_position, after_line_no = page.after(tuple[datetime, int, int]) or (FIRST, 0, 0)
    parameters = {
        "supplier_id": supplier_id,
        "since": since or FIRST,
        "until": until or LAST,
        "currency": currency,
        "after_at": after_at,
        "after_position": after_position,
        "after_line_no": after_line_no,
        "limit": page.limit,
    }
    async with snapshot(where, STATEMENTS) as at:
        found = await at.each(_LIST, parameters, _read)
        rows, token = page.cut(found, [(row.at, row.position, row.line_no) for row in found])
        return Answer(rows, at.position, token)


def _read(**row: Any) -> Entry:
    return Entry(**{**row, "kind": Kind(row["kind"]), "amount_minor": in_64_bits(int(row["amount_minor"]))})
