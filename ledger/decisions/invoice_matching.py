"""Supplier invoices against what was ordered, at which cost, and what has left (DOMAIN 2).

A unit is paid for once over all invoices of its supplier. So each invoice's units are counted in the order's stream,
where they are shipped as well, and a later shipment looks again at the invoices that wait for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from ledger.decisions.docket import Docket
from ledger.facts import Change, LineNo, Told, Units, changes_of, order_of
from ledger.nouns import orders, policies, supplier_invoices, suppliers
from ledger.nouns.orders import Order
from ledger.nouns.orders.supplier_orders import Invoiced, SupplierOrder, SupplierOrderInvoiced
from ledger.nouns.policies import Policy, policy_at
from ledger.nouns.supplier_invoices import (
    Difference,
    Differs,
    InvoiceLine,
    LineMatch,
    SupplierInvoice,
    SupplierInvoiceFact,
    SupplierInvoiceMatched,
    SupplierInvoiceRecorded,
)
from ledger.terms.money import Money, round_half_up
from ledger.view import View

# --- commands -------------------------------------------------------------------------------------


def record(view: View, recorded: SupplierInvoiceRecorded, now: datetime) -> list[Change]:
    """An invoice came: what it asks is compared at once."""
    supplier_id, number = recorded.supplier_id, recorded.number
    view.need(*streams_of(recorded))
    suppliers.known(suppliers.find(view, supplier_id), supplier_id)
    facts = supplier_invoices.record(supplier_invoices.find(view, supplier_id, number), recorded)
    matching = _Matching(view, supplier_id, now)
    if facts:
        matching.add(number, facts)
        matching.match(number)
    return matching.changes()


def match_again(view: View, supplier_id: str, number: str, now: datetime) -> list[Change]:
    """Compare an invoice with what is known by now. What is found as before records nothing."""
    matching = _known(view, supplier_id, number, now)
    matching.match(number)
    return matching.changes()


def approve(
    view: View, supplier_id: str, number: str, by: str, because: Told, at: datetime, now: datetime
) -> list[Change]:
    """Agree to pay it as it is: its units stand on no other invoice then, whether they have left or not."""
    return _decided(view, supplier_id, number, now, lambda own: supplier_invoices.approve(own, by, because, at))


def dispute(
    view: View, supplier_id: str, number: str, by: str, because: Told, at: datetime, now: datetime
) -> list[Change]:
    """Do not agree to it. The supplier is to answer by its agreement in force."""
    supplier = suppliers.find(view, supplier_id)
    agreement = supplier.agreement_at(at) if supplier else None
    answer_by = agreement.answer_by(at) if agreement else None
    return _decided(
        view, supplier_id, number, now, lambda own: supplier_invoices.dispute(own, by, because, answer_by, at)
    )


def credit(
    view: View, supplier_id: str, number: str, credit_note: str, amount: Money, at: datetime, now: datetime
) -> list[Change]:
    """The supplier takes a part of it back; once that is all of it, its units may stand on another invoice."""
    return _decided(view, supplier_id, number, now, lambda own: supplier_invoices.credit(own, credit_note, amount, at))


def pay(
    view: View, supplier_id: str, number: str, payment_id: str, amount: Money, at: datetime, now: datetime
) -> list[Change]:
    """Money went to the supplier for it."""
    return _decided(view, supplier_id, number, now, lambda own: supplier_invoices.pay(own, payment_id, amount, at))


def return_payment(
    view: View, supplier_id: str, number: str, payment_id: str, because: Told, at: datetime, now: datetime
) -> list[Change]:
    """The money of a payment came back."""
    return _decided(
        view, supplier_id, number, now, lambda own: supplier_invoices.return_payment(own, payment_id, because, at)
    )


def after_shipping(view: View, docket: Docket, supplier_order_id: str, now: datetime) -> list[Change]:
    """More units of a supplier order have left: look again at the invoices that wait for them, the first one first."""
    supplier_order = docket.order.supplier_orders[supplier_order_id]
    waiting = [number for number, each in supplier_order.invoiced.items() if each.waiting]
    if not waiting:
        return []
    matching = _Matching(view, supplier_order.supplier_id, now, docket)
    for number in waiting:
        matching.match(number, [supplier_order_id])
    return matching.changes()


def after_voiding(view: View, docket: Docket, supplier_order_id: str, now: datetime) -> list[Change]:
    """Fewer units have left than was reported: look again at the invoices that count them, the last one first."""
    supplier_order = docket.order.supplier_orders[supplier_order_id]
    matching = _Matching(view, supplier_order.supplier_id, now, docket)
    for number in reversed([number for number, each in supplier_order.invoiced.items() if each.units]):
        matching.match(number, [supplier_order_id])
    return matching.changes()


def streams_of(recorded: SupplierInvoiceRecorded) -> list[str]:
    """All that comparing an invoice looks at."""
    named = {order_of(line.supplier_order_id) for line in recorded.lines if line.supplier_order_id}
    supplier_id = recorded.supplier_id
    own = [supplier_invoices.stream(supplier_id, recorded.number), suppliers.stream(supplier_id), policies.stream()]
    return [*own, *map(orders.stream, sorted(named))]


def _known(view: View, supplier_id: str, number: str, now: datetime) -> _Matching:
    invoice = supplier_invoices.known(supplier_invoices.find(view, supplier_id, number), supplier_id, number)
    view.need(*streams_of(invoice.recorded))
    return _Matching(view, supplier_id, now)


def _decided(
    view: View,
    supplier_id: str,
    number: str,
    now: datetime,
    decide: Callable[[SupplierInvoice], Sequence[SupplierInvoiceFact]],
) -> list[Change]:
    """What is decided about an invoice, and what that changes of the units that it counts."""
    matching = _known(view, supplier_id, number, now)
    if facts := decide(matching.invoice(number)):
        matching.add(number, facts)
        matching.count(number)
    return matching.changes()


# --- matching -------------------------------------------------------------------------------------


class _Matching:
    """Invoices of one supplier and the orders that they name, while a command is decided: each step sees the last."""

    def __init__(self, view: View, supplier_id: str, now: datetime, shipping: Docket | None = None) -> None:
        self._view, self._supplier_id, self._now = view, supplier_id, now
        self._shipping = shipping
        """An order whose facts the caller records."""
        self._dockets: dict[str, Docket] = {shipping.order.order_id: shipping} if shipping else {}
        self._invoices: dict[str, SupplierInvoice] = {}
        self._facts: dict[str, list[SupplierInvoiceFact]] = {}

    def invoice(self, number: str) -> SupplierInvoice:
        if number not in self._invoices:
            found = supplier_invoices.find(self._view, self._supplier_id, number)
            self._invoices[number] = supplier_invoices.known(found, self._supplier_id, number)
        return self._invoices[number]

    def add(self, number: str, facts: Iterable[SupplierInvoiceFact]) -> None:
        for fact in facts:
            before = None if isinstance(fact, SupplierInvoiceRecorded) else self.invoice(number)
            self._invoices[number] = supplier_invoices.evolve(before, fact)
            self._facts.setdefault(number, []).append(fact)

    def changes(self) -> list[Change]:
        own = [
            change
            for number, facts in self._facts.items()
            for change in changes_of(supplier_invoices.stream(self._supplier_id, number), facts)
        ]
        others = (docket for docket in self._dockets.values() if docket is not self._shipping)
        return [*own, *(change for docket in others for change in docket.changes())]

    def match(self, number: str, supplier_order_ids: Iterable[str] | None = None) -> None:
        """Compares the lines of an invoice that name these supplier orders, or all of them."""
        invoice = self.invoice(number)
        policy = policy_at(policies.find(self._view), invoice.recorded.at)
        ids = [*invoice.supplier_order_ids, ""] if supplier_order_ids is None else supplier_order_ids
        found = {match.index: match for each in ids for match in self._matched(invoice, each, policy)}
        matches = [found.get(match.index, match) for match in invoice.matches]
        charges = _charges_over(invoice, matches, policy)
        changed = tuple(match for match, was in zip(matches, invoice.matches, strict=True) if match != was)
        if changed or charges != invoice.charges_over_minor:
            self.add(number, [SupplierInvoiceMatched(self._supplier_id, number, changed, self._now, charges)])
        self.count(number)

    def count(self, number: str) -> None:
        """Notes in the orders which units an invoice counts; what it gives up, others that wait may have."""
        invoice = self.invoice(number)
        for supplier_order_id in invoice.supplier_order_ids:
            found = self._find(supplier_order_id)
            if found is None:
                continue
            docket, supplier_order = found
            now = Invoiced(invoice.taken(supplier_order_id), invoice.waiting(supplier_order_id))
            before = supplier_order.invoiced.get(number, Invoiced({}))
            if now == before:
                continue
            docket.add([SupplierOrderInvoiced(supplier_order_id, number, now.units, self._now, now.waiting)])
            if any(now.units.get(line_no, 0) < units for line_no, units in before.units.items()):
                for other, each in supplier_order.invoiced.items():
                    if other != number and each.waiting:
                        self.match(other, [supplier_order_id])

    def _find(self, supplier_order_id: str) -> tuple[Docket, SupplierOrder] | None:
        """The supplier order as it is by now; None unless this supplier was given it."""
        order_id = order_of(supplier_order_id)
        docket = self._dockets.get(order_id)
        if docket is None:
            order = orders.find(self._view, order_id) if order_id else None
            if order is None:
                return None
            docket = self._dockets[order_id] = Docket(order)
        supplier_order = docket.order.supplier_orders.get(supplier_order_id)
        is_own = supplier_order is not None and supplier_order.supplier_id == self._supplier_id
        return (docket, supplier_order) if supplier_order is not None and is_own else None

    def _matched(self, invoice: SupplierInvoice, supplier_order_id: str, policy: Policy) -> Iterable[LineMatch]:
        """The lines that name a supplier order, one after the other: no two of them have the same unit."""
        lines = [each for each in enumerate(invoice.recorded.lines) if each[1].supplier_order_id == supplier_order_id]
        found = self._find(supplier_order_id)
        if found is None:
            return [_unknown(index, line) for index, line in lines]
        docket, supplier_order = found
        reading = _Reading(docket.order, supplier_order, invoice)
        return [reading.of(index, line, policy.invoice_tolerance_basis_points) for index, line in lines]


def _unknown(index: int, line: InvoiceLine) -> LineMatch:
    return LineMatch(index, differences=(Difference(Differs.UNKNOWN, line.amount_minor, line.units),))


def _charges_over(invoice: SupplierInvoice, matches: Iterable[LineMatch], policy: Policy) -> int:
    """What an invoice asks beside its goods, beyond the share of them that the policy lets pass.

    Goods that cost less than was agreed make up for it: packing is a part of the agreed cost, and often billed apart.
    """
    cost, less = 0, 0
    for line, match in zip(invoice.recorded.lines, matches, strict=True):
        cost += match.cost_minor
        less += max(match.cost_minor - _part(line, sum(match.units.values())), 0)
    return max(invoice.charges_minor - less - cost * policy.invoice_charges_basis_points // 10_000, 0)


class _Reading:
    """A supplier order as the lines of one invoice find it: what a line has, the next one finds gone."""

    def __init__(self, order: Order, supplier_order: SupplierOrder, invoice: SupplierInvoice) -> None:
        self._order, self._supplier_order, self._currency = order, supplier_order, invoice.currency
        others = {number: each.units for number, each in supplier_order.invoiced.items() if number != invoice.number}
        self._others = {number: units for number, units in others.items() if units}
        self._free = {
            line_no: max(share.shipped - sum(units.get(line_no, 0) for units in self._others.values()), 0)
            for line_no, share in supplier_order.shares.items()
        }

    def of(self, index: int, line: InvoiceLine, tolerance: int) -> LineMatch:
        """Units that have left and are on no other invoice are right; of the others it says what they are."""
        named = self._named(line)
        if not named:
            return _unknown(index, line)
        units = self._take(named, line.units)
        count = sum(units.values())
        left = line.units - count
        cost = self._cost(units)
        amount = _part(line, count)
        differences = [*_price(amount, count, cost, tolerance), *(self._rest(line, named, count) if left else ())]
        apart = self._costs_apart(units) if cost is None else {}
        return LineMatch(index, units, cost or 0, {named[-1]: left} if left else {}, tuple(differences), apart)

    def _named(self, line: InvoiceLine) -> list[LineNo]:
        """The lines of the order that a line is about; all of the supplier order where it names none."""
        lines, codes = self._order.lines, self._supplier_order.article_codes
        shares = self._supplier_order.shares
        numbers = [line.line_no] if line.line_no in shares else [] if line.line_no else [*shares]
        return [n for n in numbers if line.sku in ("", lines[n].sku, codes.get(n))]

    def _take(self, named: Sequence[LineNo], asked: int) -> Units:
        units: Units = {}
        for line_no in named:
            if count := min(asked, self._free[line_no]):
                units[line_no] = count
                self._free[line_no] -= count
                asked -= count
        return units

    def _cost(self, units: Units) -> int | None:
        """What units cost by the supplier's offer; None where it made none in this currency."""
        costs = self._supplier_order.unit_costs
        known = [costs[line_no] for line_no in units if line_no in costs and costs[line_no].currency == self._currency]
        if len(known) < len(units):
            return None
        return sum(units[line_no] * costs[line_no].amount_minor for line_no in units)

    def _costs_apart(self, units: Units) -> dict[str, int]:
        """What those of the units cost that there was an offer for, by currency."""
        costs, apart = self._supplier_order.unit_costs, Counter[str]()
        for line_no, count in units.items():
            if (cost := costs.get(line_no)) is not None:
                apart[cost.currency] += count * cost.amount_minor
        return dict(sorted(apart.items()))

    def _rest(self, line: InvoiceLine, named: Sequence[LineNo], count: int) -> Iterable[Difference]:
        """Units that are on other invoices, and then those that have not left."""
        shares = [self._supplier_order.shares[line_no] for line_no in named]
        elsewhere = {number: sum(by_line.get(n, 0) for n in named) for number, by_line in self._others.items()}
        doubled = min(line.units - count, sum(elsewhere.values()))
        lacking = line.units - count - doubled
        ordered, shipped = sum(share.given for share in shares), sum(share.shipped for share in shares)
        if doubled:
            amount = _part(line, count + doubled) - _part(line, count)
            invoices = tuple(number for number, units in elsewhere.items() if units)
            yield Difference(Differs.DOUBLE, amount, doubled, ordered=ordered, shipped=shipped, invoices=invoices)
        if lacking:
            amount = line.amount_minor - _part(line, count + doubled)
            yield Difference(Differs.QUANTITY, amount, lacking, ordered=ordered, shipped=shipped)


def _price(amount: int, count: int, cost: int | None, tolerance: int) -> Iterable[Difference]:
    """Less than was agreed is no difference: the supplier asks for no more."""
    if count and cost is None:
        yield Difference(Differs.PRICE, amount, count)
    elif cost is not None and amount > cost + cost * tolerance // 10_000:
        yield Difference(Differs.PRICE, amount - cost, count, cost)


def _part(line: InvoiceLine, units: int) -> int:
    """What so many units of a line come to; the parts of a line are its whole amount."""
    return round_half_up(line.amount_minor * units, line.units)
