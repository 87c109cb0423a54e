"""What is owed to and by a supplier in a period, and by which facts?

An account for each supplier and currency: what the retailer owes is positive, what the supplier owes is negative.
Goods are owed when they are shipped, at the cost that was frozen when the supplier order was drafted; what is
rejected or cancelled before never was, and what did not leave after all is taken off again. Compensation is the
supplier's debt while it stands. So is what the supplier accepted of a recovery; a credit note or a deduction only
sets that off within this account and moves nothing, money that it paid comes off, and so does what was written off.
An invoice that is right or was approved makes up for what it asks more or less than its units cost, and what was paid
for it comes off; that it came moves nothing, and is summed up beside the account. Every amount is one entry, which
names the fact that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple

from ledger.nouns import orders, recoveries, supplier_invoices
from ledger.nouns.orders.supplier_orders import (
    CompensationAccrued,
    CompensationReversed,
    ShipmentVoided,
    SupplierOrderShipped,
)
from ledger.nouns.recoveries import Method, Recovery, RecoveryAccepted, RecoveryFact, RecoveryStatus
from ledger.nouns.recoveries import RecoveryKind as RecoveryKind
from ledger.nouns.supplier_invoices import (
    SupplierCreditNoteRecorded,
    SupplierInvoice,
    SupplierInvoiceFact,
    SupplierInvoicePaid,
    SupplierInvoiceRecorded,
    SupplierPaymentReturned,
)
from ledger.terms.money import in_64_bits
from projections.machine.changes import added
from projections.machine.histories import InvoiceHistory, OrderHistory, RecoveryHistory
from projections.machine.projection import From, projection
from projections.machine.reads import FIRST, LAST, Answer, Changes, PageOf, Where, snapshot
from projections.machine.rows import Column, Int4
from projections.machine.tables import table

# --- tables ---------------------------------------------------------------------------------------

_SIGNED = Column("numeric NOT NULL", None, lambda kept: in_64_bits(int(kept)))
"""Units x cost of old facts may exceed 64 bits, and capping them would give a wrong balance; amounts without a sign
are kept in 64 bits, see in_64_bits."""


class EntryKind(StrEnum):
    """What an entry is for."""

    GOODS = "goods"
    GOODS_WITHOUT_COST = "goods_without_cost"
    """Units were shipped without an offer of the supplier, so the amount owed is unknown."""
    COMPENSATION = "compensation"
    COMPENSATION_REVERSED = "compensation_reversed"
    RECOVERY = "recovery"
    """The supplier accepted to bear a cost."""
    RECOVERY_PAID = "recovery_paid"
    RECOVERY_WRITTEN_OFF = "recovery_written_off"
    INVOICE_DIFFERENCE = "invoice_difference"
    """An invoice that is right or was approved asks more or less than its units cost."""
    INVOICE_PAID = "invoice_paid"
    INVOICED = "invoiced"
    """An invoice came."""
    INVOICE_CREDITED = "invoice_credited"
    """The supplier took a part of it back."""


_BESIDE = (EntryKind.INVOICED, EntryKind.INVOICE_CREDITED)
"""What moves no account: goods are owed when they leave, not when they are invoiced."""


class StatementEntry(NamedTuple):
    """One amount and the fact that it stands for."""

    position: int
    """Of the fact."""
    line_no: Int4
    """Of the order; 0 where the entry is not about one line. Of an invoice of units that were offered in other
    currencies, which of their accounts it is, so that no two entries have one key."""
    kind: EntryKind
    supplier_id: str
    currency: str
    amount_minor: Annotated[int, _SIGNED]
    """Negative where the supplier owes."""
    at: datetime
    stream: str
    fact: str
    object_id: str
    """The supplier order, the recovery, or the number of the invoice."""
    units: int
    reference: str = ""
    """The payment or the credit note."""


ENTRIES = table("statement_entries", StatementEntry, 3, "(supplier_id, at, position, line_no, kind)")

# --- what is kept ---------------------------------------------------------------------------------


def _of_order(history: OrderHistory) -> list[StatementEntry]:
    """Entries never change, because facts never change."""
    rows: list[StatementEntry] = []
    for position, fact in history.accounted:
        match fact:
            case SupplierOrderShipped():
                rows += _goods(history, position, fact)
            case ShipmentVoided():
                rows += _goods(history, position, fact, sign=-1)
            case CompensationAccrued():
                owed = -fact.amount.amount_minor
                rows.append(_compensation(history, position, fact, EntryKind.COMPENSATION, owed))
            case CompensationReversed():
                owed = fact.amount.amount_minor
                rows.append(_compensation(history, position, fact, EntryKind.COMPENSATION_REVERSED, owed))
    return rows


def _goods(
    history: OrderHistory, position: int, fact: SupplierOrderShipped | ShipmentVoided, sign: int = 1
) -> Iterator[StatementEntry]:
    """What left is owed, and what did not leave after all is owed no more."""
    supplier_order = history.order.supplier_orders[fact.supplier_order_id]
    for line_no, units in fact.by_line.items():
        cost = supplier_order.unit_costs.get(line_no)
        yield StatementEntry(
            position=position,
            line_no=line_no,
            supplier_id=supplier_order.supplier_id,
            currency=cost.currency if cost else "",
            kind=EntryKind.GOODS if cost else EntryKind.GOODS_WITHOUT_COST,
            amount_minor=sign * units * cost.amount_minor if cost else 0,
            at=fact.at,
            stream=orders.stream(history.order.order_id),
            fact=fact.fact_name(),
            object_id=fact.supplier_order_id,
            units=sign * units,
        )


def _compensation(
    history: OrderHistory, position: int, fact: CompensationAccrued | CompensationReversed, kind: EntryKind, owed: int
) -> StatementEntry:
    return StatementEntry(
        position=position,
        line_no=0,
        supplier_id=fact.supplier_id,
        currency=fact.amount.currency,
        kind=kind,
        amount_minor=owed,
        at=fact.at,
        stream=orders.stream(history.order.order_id),
        fact=fact.fact_name(),
        object_id=fact.supplier_order_id,
        units=0,
    )


def _of_recovery(history: RecoveryHistory) -> list[StatementEntry]:
    """An entry for each fact that changes what a supplier owes for a recovery, by how much it does."""
    opened = history.recovery.opened
    if opened.kind is not RecoveryKind.SUPPLIER_FAULT:
        return []
    rows: list[StatementEntry] = []
    recovery: Recovery | None = None
    for position, fact in history.facts:
        before, recovery = recovery, recoveries.evolve(recovery, fact)
        moved = _balance(recovery) - (_balance(before) if before else 0)
        if moved:
            entry = StatementEntry(
                position=position,
                line_no=0,
                supplier_id=opened.subject.supplier_id,
                currency=opened.currency,
                kind=_kind_of(fact),
                amount_minor=moved,
                at=fact.at,
                stream=recoveries.stream(opened.recovery_id),
                fact=fact.fact_name(),
                object_id=opened.recovery_id,
                units=0,
            )
            rows.append(entry)
    return rows


def _balance(recovery: Recovery) -> int:
    """What a recovery does to the account: what was accepted, or received before the rest was written off."""
    paid = sum(part.amount_minor for part in recovery.received if part.method is Method.PAYMENT)
    borne = recovery.received_minor if recovery.status is RecoveryStatus.WRITTEN_OFF else recovery.agreed_minor
    return paid - borne


def _kind_of(fact: RecoveryFact) -> EntryKind:
    match fact:
        case RecoveryAccepted():
            return EntryKind.RECOVERY
        case recoveries.RecoveryWrittenOff():
            return EntryKind.RECOVERY_WRITTEN_OFF
        case _:
            return EntryKind.RECOVERY_PAID


def _of_invoice(history: InvoiceHistory) -> list[StatementEntry]:
    """The amount of each fact, and by how much it changes what is owed for the units of the invoice."""
    rows: list[StatementEntry] = []
    invoice: SupplierInvoice | None = None
    for position, fact in history.facts:
        before, invoice = invoice, supplier_invoices.evolve(invoice, fact)
        difference = EntryKind.INVOICE_DIFFERENCE
        amounts = [(0, kind, invoice.currency, amount, of) for kind, amount, of in _amounts(fact, invoice)]
        amounts += [(place, difference, *moved, "") for place, moved in enumerate(_moved(before, invoice))]
        for place, kind, currency, amount, reference in amounts:
            entry = StatementEntry(
                position=position,
                line_no=place,
                kind=kind,
                supplier_id=invoice.supplier_id,
                currency=currency,
                amount_minor=amount,
                at=fact.at,
                stream=supplier_invoices.stream(invoice.supplier_id, invoice.number),
                fact=fact.fact_name(),
                object_id=invoice.number,
                units=0,
                reference=reference,
            )
            rows.append(entry)
    return rows


def _moved(before: SupplierInvoice | None, invoice: SupplierInvoice) -> Iterator[tuple[str, int]]:
    """By how much what is owed beyond the cost of its units changes, in its own currency first."""
    was, now = _beyond_cost(before) if before else {}, _beyond_cost(invoice)
    for currency in dict.fromkeys((invoice.currency, *sorted({*was, *now}))):
        if moved := now.get(currency, 0) - was.get(currency, 0):
            yield currency, moved


def _beyond_cost(invoice: SupplierInvoice) -> dict[str, int]:
    """What is owed beyond the cost of its units, which the accounts have already; nothing while that is not agreed.

    Units that were offered in another currency are owed as their invoice asks, and no more in the other.
    """
    if invoice.is_void or not invoice.is_accepted:
        return {}
    beyond = {invoice.currency: invoice.total_minor - invoice.credited_minor - invoice.cost_minor}
    for match in invoice.matches:
        for currency, minor in match.costs_apart.items():
            beyond[currency] = beyond.get(currency, 0) - minor
    return beyond


def _amounts(fact: SupplierInvoiceFact, invoice: SupplierInvoice) -> list[tuple[EntryKind, int, str]]:
    match fact:
        case SupplierInvoiceRecorded():
            return [(EntryKind.INVOICED, invoice.total_minor, "")]
        case SupplierCreditNoteRecorded(credit_note=credit_note, amount_minor=amount):
            return [(EntryKind.INVOICE_CREDITED, -amount, credit_note)]
        case SupplierInvoicePaid(payment_id=payment_id, amount_minor=amount):
            return [(EntryKind.INVOICE_PAID, -amount, payment_id)]
        case SupplierPaymentReturned(payment_id=payment_id):
            amount = next(each.amount_minor for each in invoice.payments if each.payment_id == payment_id)
            return [(EntryKind.INVOICE_PAID, amount, payment_id)]
        case _:
            return []


STATEMENTS = projection(
    "statements",
    5,
    From(orders.NOUN, ENTRIES, _of_order),
    From(recoveries.NOUN, ENTRIES, _of_recovery),
    From(supplier_invoices.NOUN, ENTRIES, _of_invoice),
)

# --- questions ------------------------------------------------------------------------------------


class Total(NamedTuple):
    """All entries of one kind in the period."""

    kind: EntryKind
    amount_minor: int
    entries: int


class Balance(NamedTuple):
    """An account over the period: opening, what came, closing; and what was invoiced and paid until its end."""

    currency: str
    opening_minor: int
    totals: tuple[Total, ...]
    closing_minor: int
    invoiced_minor: int = 0
    """Without what was taken back."""
    paid_minor: int = 0

    @property
    def owed_minor(self) -> int:
        """What was owed in all, paid or not."""
        return in_64_bits(self.closing_minor + self.paid_minor)

    @property
    def open_minor(self) -> int:
        """What is open of invoices."""
        return in_64_bits(self.invoiced_minor - self.paid_minor)


class Statement(NamedTuple):
    """A supplier's accounts over a period."""

    balances: tuple[Balance, ...]
    units_without_cost: int
    """Units shipped in the period whose cost is unknown."""


_TOTALS = """
    SELECT currency, kind, at >= %(since)s AS inside, sum(amount_minor), count(*), sum(units)::int8
    FROM {statement_entries} WHERE supplier_id = %(supplier_id)s AND at < %(until)s
    GROUP BY currency, kind, inside ORDER BY currency, kind
"""
_LIST = """
    SELECT * FROM {statement_entries}
    WHERE supplier_id = %(supplier_id)s AND at >= %(since)s AND at < %(until)s
        AND (at, position, line_no, kind) > (%(after_at)s, %(after_position)s, %(after_line_no)s, %(after_kind)s)
        AND (%(currency)s = '' OR currency = %(currency)s)
    ORDER BY at, position, line_no, kind LIMIT %(limit)s
"""

_ADDED = """
    SELECT * FROM {statement_entries}
    WHERE supplier_id = %(supplier_id)s AND at >= %(since)s AND at < %(until)s
        AND (%(currency)s = '' OR currency = %(currency)s) AND position > %(after)s AND position <= %(up_to)s
    ORDER BY position FETCH FIRST (%(size)s) ROWS WITH TIES
"""

_EXTENT = """
    SELECT min(at), max(at) FROM {statement_entries}
    WHERE supplier_id = %(supplier_id)s AND (%(currency)s = '' OR currency = %(currency)s)
"""


async def get_statement(
    where: Where, supplier_id: str, since: datetime | None = None, until: datetime | None = None
) -> Answer[Statement]:
    """The accounts of a supplier over [since, until), by currency; one that nothing is owed to or by has none."""
    parameters = {"supplier_id": supplier_id, "since": since or FIRST, "until": until or LAST}
    async with snapshot(where, STATEMENTS) as at:
        rows = await at.rows(_TOTALS, parameters)
        without_cost = sum(row[5] for row in rows if row[1] == EntryKind.GOODS_WITHOUT_COST and row[2])
        balances = [_account(code, rows) for code in dict.fromkeys(row[0] for row in rows) if code]
        inside = any(row[2] for row in rows)
        extent = None if inside else await at.extent(_EXTENT, {"supplier_id": supplier_id, "currency": ""})
        return Answer([Statement(tuple(balances), without_cost)], at.position, extent=extent)


def _account(currency: str, rows: list[tuple[str, str, bool, Decimal, int, int]]) -> Balance:
    mine = [(EntryKind(row[1]), row[2], int(row[3]), row[4]) for row in rows if row[0] == currency]
    opening = sum(amount for kind, inside, amount, _ in mine if not inside and kind not in _BESIDE)
    closing = sum(amount for kind, _, amount, _ in mine if kind not in _BESIDE)
    totals = tuple(Total(kind, in_64_bits(amount), count) for kind, inside, amount, count in mine if inside)
    invoiced = sum(amount for kind, _, amount, _ in mine if kind in _BESIDE)
    paid = -sum(amount for kind, _, amount, _ in mine if kind is EntryKind.INVOICE_PAID)
    beside = in_64_bits(invoiced), in_64_bits(paid)
    return Balance(currency, in_64_bits(opening), totals, in_64_bits(closing), *beside)


async def list_entries(
    where: Where,
    page: PageOf,
    supplier_id: str,
    since: datetime | None = None,
    until: datetime | None = None,
    currency: str = "",
) -> Answer[StatementEntry]:
    """The entries of [since, until) by when they happened; or those that were added, none of which ever goes."""
    first = (FIRST, 0, 0, "")
    after_at, after_position, after_line_no, after_kind = page.after(tuple[datetime, int, int, str]) or first
    parameters = {
        "supplier_id": supplier_id,
        "since": since or FIRST,
        "until": until or LAST,
        "currency": currency,
        "after_at": after_at,
        "after_position": after_position,
        "after_line_no": after_line_no,
        "after_kind": after_kind,
        "limit": page.limit,
    }
    async with snapshot(where, STATEMENTS) as at:
        if page.changed_after is not None:
            new, up_to, token = await added(at, page, _ADDED, parameters, StatementEntry)
            return Answer(new, at.position, token, changes=Changes(up_to, []))
        found = await at.each(_LIST, parameters, StatementEntry)
        rows, token = page.cut(found, [(row.at, row.position, row.line_no, row.kind) for row in found])
        extent = None if found or page.token else await at.extent(_EXTENT, parameters)
        return Answer(rows, at.position, token, extent)
