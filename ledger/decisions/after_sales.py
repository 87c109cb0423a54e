"""After-sales: cases, the orders they are about, the stock and the money they move (DOMAIN 5).

The recovery of costs follows what a command decided of the case, and refuses nothing: no remedy ever waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import cast

from msgspec.structs import replace

from ledger.decisions import case_costs, complaints, delivery, intake
from ledger.decisions.docket import Docket, after_facts, newly_owed, order_in
from ledger.decisions.order_stock import need_for
from ledger.decisions.refund_amounts import amounts_of, charge_amounts, share_of, take_off
from ledger.decisions.sending_again import lines_again, senders_of, unpaid_at_the_door_minor
from ledger.facts import (
    Change,
    Fact,
    LineNo,
    Sealed,
    Units,
    changes_of,
    minus,
)
from ledger.nouns import (
    cases,
    orders,
    parcels,
    policies,
    stock,
    suppliers,
)
from ledger.nouns.cases import (
    Case,
    CaseFact,
    CaseOpened,
    CaseStatus,
    Denial,
    Exchange,
    Inspection,
    Reason,
    RefundGranted,
    Remedy,
    ReshipFailed,
    ReshipFailure,
    ReshipPlaced,
    ReturnInspected,
    ReturnLabelled,
    ReturnShipped,
)
from ledger.nouns.orders import (
    Order,
    OrderFact,
    OrderPlaced,
    PaymentState,
    after_sales,
    breaches,
    supplier_orders,
)
from ledger.nouns.orders.after_sales import Amounts
from ledger.nouns.parcels import ParcelRegistered, earliest
from ledger.nouns.policies import CaseApproval, Policy, policy_at
from ledger.nouns.suppliers import Standing
from ledger.terms.clocks import Clock
from ledger.terms.money import MOST_MINOR
from ledger.terms.parties import Party
from ledger.view import View


class _CaseDocket:
    """A case and its order while a command is decided: each step sees what the steps before it added."""

    def __init__(self, view: View, case_id: str, now: datetime, opened: CaseOpened | None = None) -> None:
        self.view, self.now = view, now
        self.case = cases.evolve(None, opened) if opened else cases.known(cases.find(view, case_id), case_id)
        self.order = order_in(view, self.case.order_id)
        self.changes: list[Change] = [(cases.stream(case_id), opened)] if opened else []
        self.before, self.sent_again, self.at = self.case, tuple[orders.Line, ...](), now
        ended = reship_end(view, self.case, now)
        if self.add(ended):
            _refund_difference(self, ended)
            self._settle()

    def add(self, facts: Iterable[CaseFact]) -> bool:
        """Adds facts of the case; returns whether there were any."""
        added = False
        for fact in facts:
            self.case, self.at = cases.evolve(self.case, fact), fact.at
            self.changes.append((cases.stream(self.case.case_id), fact))
            added = True
        return added

    def add_to_order(self, facts: Iterable[OrderFact]) -> None:
        """Adds facts of the order that the case is about."""
        for fact in facts:
            self.order = orders.evolve(self.order, fact)
            self.changes.append((orders.stream(self.order.order_id), fact))

    def add_others(self, stream: str, facts: Iterable[Fact]) -> None:
        self.changes += changes_of(stream, facts)

    @property
    def paying(self) -> Order:
        """The order that was paid: for a reship the original order, otherwise its own."""
        paid = self.order.paid_order_id
        return self.order if paid == self.order.order_id else order_in(self.view, paid)

    def add_to_paying(self, facts: Iterable[OrderFact]) -> None:
        if self.order.paid_order_id == self.order.order_id:
            self.add_to_order(facts)
        else:
            self.add_others(orders.stream(self.order.paid_order_id), facts)

    def close(self) -> list[Change]:
        """All that was added, and what follows for the recoveries of the case."""
        self._settle()
        if self.changes:
            self.changes += case_costs.follow(self.view, self.before, self.case, self.order, self.sent_again, self.at)
        return self.changes

    def _settle(self) -> None:
        """Adds what follows: a remedy that is over, an answer that came late, units that are free again."""
        if self.changes:
            self.add(cases.settle(self.case, self.now))
            self.add(cases.settle_clock(self.case, self.now))
            self._release()

    def _release(self) -> None:
        """A closed case releases its order, and the units that it did nothing for."""
        case, share = self.case, self.order.after_sales.cases.get(self.case.case_id)
        if case.closed_at is None or share is None:
            return
        freed = minus(share.by_line, case.by_line)
        lines = self.paying.lines
        part_given = case.part_given(lambda n, units: lines[n].worth_minor(units) if n in lines else 0)
        withdrawn = case.status is CaseStatus.CANCELLED
        left = after_sales.CaseLeft(self.order.order_id, case.case_id, self.now, freed, part_given, withdrawn)
        self.add_to_order(after_sales.leave(self.order.after_sales, left))


# --- opening --------------------------------------------------------------------------------------


def open_case(view: View, opened: CaseOpened, now: datetime) -> list[Change]:
    """A customer complained; opened.first_answer_by and what stands in the order are set here.

    The same case again records nothing. What the customer only changed its mind about has to be reported within
    the return window; for other reasons there is no window, the ruling decides.
    """
    view.need(policies.stream(), cases.stream(opened.case_id), orders.stream(opened.order_id))
    order = order_in(view, opened.order_id)
    present = cases.find(view, opened.case_id)
    if present is not None:
        requested = (opened.order_id, opened.reason, opened.by_line)
        if requested != (present.order_id, present.opened.reason, present.opened.by_line):
            raise cases.CaseOpenedDifferently(opened.case_id)
        return []
    policy = policy_at(policies.find(view), opened.at)
    for line_no in opened.by_line:
        if line_no not in order.lines:
            raise supplier_orders.UnknownLine(f"order {order.order_id}", line_no)
    taken = _take(order, opened.case_id, opened.reason, opened.by_line, opened.at)
    whole = replace(
        opened,
        first_answer_by=policy.first_answer_by(opened.at),
        suppliers=senders_of(order, opened.by_line),
        delivered_at=complaints.arrived_at(order, opened.by_line) if opened.reason.about_arrived_units else None,
    )
    complaints.require_reason(order, whole)
    approval = _approval(policy, order, whole)
    if approval is None:
        return [(cases.stream(opened.case_id), whole), *changes_of(orders.stream(order.order_id), taken)]
    docket = _CaseDocket(view, opened.case_id, now, whole)
    docket.add_to_order(taken)
    ruling = cases.LiabilityRuled(opened.case_id, approval.liable, ("approved_by_policy",), (), opened.at)
    docket.add([_with_due(docket, ruling)])
    _approve(docket, Remedy(approval.remedy), {}, "", opened.at)
    return docket.close()


def _approval(policy: Policy, order: Order, opened: CaseOpened) -> CaseApproval | None:
    """The first term of the policy by which a case is approved at once: its reason, what its units cost, its window."""
    worth = sum(order.lines[line_no].worth_minor(units) for line_no, units in opened.by_line.items())
    for term in policy.case_approvals if not order.placed.reship_of else ():
        until = opened.delivered_at + timedelta(days=term.within_days) if opened.delivered_at else None
        in_time = not term.within_days or until is None or opened.at <= until
        cheap = term.most.currency == order.currency and worth <= term.most.amount_minor
        if term.reason == opened.reason and in_time and cheap:
            return term
    return None


def _take(order: Order, case_id: str, reason: Reason, by_line: Units, at: datetime) -> list[after_sales.TakenIntoCase]:
    """The units of a case, if they are where its reason says and in no other case."""
    present, arrived = complaints.present(order, reason), reason.about_arrived_units
    taken = after_sales.TakenIntoCase(order.order_id, case_id, by_line, at, arrived, reason)
    return after_sales.take(order.after_sales, taken, present, order.sent)


# --- steps of the case alone ----------------------------------------------------------------------


def answer(view: View, case_id: str, at: datetime, now: datetime) -> list[Change]:
    """The customer was informed that somebody looks at its case."""
    docket = _CaseDocket(view, case_id, now)
    docket.add(cases.answer(docket.case, at))
    return docket.close()


def request_evidence(view: View, case_id: str, wanted: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """Ask the customer for evidence, until a day that the retailer's terms give."""
    docket = _CaseDocket(view, case_id, now)
    due = at + timedelta(days=policy_at(policies.find(view), at).evidence_within_days)
    docket.add(cases.request_evidence(docket.case, wanted, due, at))
    return docket.close()


def add_evidence(view: View, added: cases.EvidenceAdded, now: datetime) -> list[Change]:
    """Adds evidence, whose bytes are stored already, to the case."""
    docket = _CaseDocket(view, added.case_id, now)
    docket.add(cases.add_evidence(docket.case, added))
    return docket.close()


def start_review(view: View, case_id: str, at: datetime, now: datetime) -> list[Change]:
    """The review of a case starts."""
    docket = _CaseDocket(view, case_id, now)
    docket.add(cases.start_review(docket.case, at))
    return docket.close()


def rule(view: View, ruling: cases.LiabilityRuled, now: datetime) -> list[Change]:
    """Who is liable, on which evidence."""
    docket = _CaseDocket(view, ruling.case_id, now)
    docket.add(cases.rule(docket.case, _with_due(docket, ruling)))
    return docket.close()


def _with_due(docket: _CaseDocket, ruling: cases.LiabilityRuled) -> cases.LiabilityRuled:
    """With when the suppliers that are liable must have resolved the case: from the first ruling that says so on."""
    if ruling.liable is not Party.SUPPLIER:
        return ruling
    before = docket.case.ruling
    if before is not None and before.liable is Party.SUPPLIER:
        return replace(ruling, resolve_by=before.resolve_by)
    # A case that was opened again is no further chance for a supplier that was late with it.
    late = {missed.supplier_id for missed in docket.case.late if missed.clock is Clock.RESOLUTION}
    names = sorted(set(docket.case.opened.suppliers.values()) - late)
    docket.view.need(*map(suppliers.stream, names))
    found = ((name, suppliers.find(docket.view, name)) for name in names)
    agreed = ((name, each.agreement_at(ruling.at)) for name, each in found if each is not None)
    due = {name: each.resolve_by(ruling.at) for name, each in agreed if each is not None}
    return replace(ruling, resolve_by={name: at for name, at in due.items() if at is not None})


def _pay_by(view: View, granted: RefundGranted) -> RefundGranted:
    """With when it must have been paid, unless there is nothing to pay."""
    if not (sum(granted.amounts_minor.values()) + sum(granted.charges_minor.values())):
        return granted
    return replace(granted, pay_by=policy_at(policies.find(view), granted.at).pay_by(granted.at))


def deny(view: View, case_id: str, because: Denial, note: Sealed | None, at: datetime, now: datetime) -> list[Change]:
    """The case is denied; its units can be in another case."""
    docket = _CaseDocket(view, case_id, now)
    docket.add(cases.deny(docket.case, because, note, at))
    return docket.close()


def cancel(view: View, case_id: str, by: Party, because: str, at: datetime, now: datetime) -> list[Change]:
    """Cancel the case, before goods or money moved."""
    docket = _CaseDocket(view, case_id, now)
    awaited = docket.case.all_awaited
    if docket.add(cases.cancel(docket.case, by, because, at)) and awaited:
        docket.add_to_order([after_sales.ReturnGivenUp(docket.order.order_id, case_id, awaited, at)])
    return docket.close()


def reopen(view: View, case_id: str, evidence: tuple[str, ...], at: datetime, now: datetime) -> list[Change]:
    """Reopen the case for new evidence, with its units unless another case has them meanwhile."""
    docket = _CaseDocket(view, case_id, now)
    case = docket.case
    whole = case.opened.by_line
    docket.add(cases.reopen(case, whole, evidence, at))
    again = minus(whole, case.by_line)
    docket.add_to_order(_take(docket.order, case_id, case.opened.reason, again, at))
    return docket.close()


# --- remedies: sending once more ------------------------------------------------------------------


def approve(
    view: View,
    case_id: str,
    remedy: Remedy,
    by_line: Units,
    supplier_id: str,
    at: datetime,
    now: datetime,
    exchange: Exchange | None = None,
) -> list[Change]:
    """Choose the remedy. What is sent is ordered at once; where that cannot be, the units are due a refund."""
    docket = _CaseDocket(view, case_id, now)
    _approve(docket, remedy, by_line, supplier_id, at, exchange)
    return docket.close()


def _approve(
    docket: _CaseDocket,
    remedy: Remedy,
    by_line: Units,
    supplier_id: str,
    at: datetime,
    exchange: Exchange | None = None,
) -> None:
    chosen = docket.add(cases.approve(docket.case, remedy, by_line, at, exchange))
    if chosen and remedy in (Remedy.RESHIP, Remedy.EXCHANGE):
        _reship(docket, supplier_id, at, exchange)


def _reship(docket: _CaseDocket, supplier_id: str, at: datetime, exchange: Exchange | None = None) -> None:
    view, case, order = docket.view, docket.case, docket.order
    lines = lines_again(view, case, order, docket.paying, supplier_id, exchange)
    reship = _reship_order(docket, lines, at)
    need_for(view, lines)
    found = [suppliers.find(view, line.supplier_id) for line in lines if line.supplier_id]
    if any(each is None or each.standing is not Standing.APPROVED for each in found):
        docket.add([ReshipFailed(case.case_id, ReshipFailure.SUPPLIER_NOT_APPROVED, case.todo, at)])
        return
    try:
        changes = intake.place(view, reship, all_or_nothing=True, cart_id="", now=docket.now)
    except stock.OutOfStock:
        docket.add([ReshipFailed(case.case_id, ReshipFailure.OUT_OF_STOCK, case.todo, at)])
        return
    docket.changes += changes
    if orders.money_gone_at(docket.paying) is not None:
        # A reship waits for money as if the payment had changed after it was placed.
        own = orders.stream(reship.order_id)
        first, *others = [cast(OrderFact, fact) for stream, fact in changes if stream == own]
        docket.add_others(own, orders.keep_back(after_facts(orders.evolve(None, first), others), at))
    docket.sent_again = lines
    docket.add([ReshipPlaced(case.case_id, reship.order_id, case.todo, at)])
    paid = order.paid_order_id
    docket.add_to_paying([after_sales.UnitsReshipped(paid, case.case_id, reship.order_id, case.todo, at)])


def _reship_order(docket: _CaseDocket, lines: tuple[orders.Line, ...], at: datetime) -> OrderPlaced:
    """An order at no price to the same customer and address; it is handled like any other order."""
    order, placed = docket.order, docket.order.placed
    order_id = _free_name(docket)
    channel, _, number = order_id.partition("/")
    return OrderPlaced(
        order_id=order_id,
        channel=channel,
        channel_order_id=number,
        placed_at=at,
        currency=order.currency,
        lines=lines,
        at=at,
        intake=f"reship of {docket.case.case_id}",
        customer=order.customer,
        has_contact=order.has_contact,
        has_address=order.has_address,
        destination=order.destination,
        payment=PaymentState.PENDING if any(line.total_minor for line in lines) else PaymentState.PAID,
        cash_on_delivery=unpaid_at_the_door_minor(docket.paying) > 0 and any(line.total_minor for line in lines),
        priority=placed.priority,
        packing=placed.packing,
        gift=placed.gift,
        incoterm=order.incoterm,
        reship_of=docket.case.case_id,
        original_order_id=order.paid_order_id,
        sealed_for=order.sealed_for,
    )


def _free_name(docket: _CaseDocket) -> str:
    """``shopify/1001+R1``; a shop may have used the name itself. An id holds at most 100 characters."""
    channel, _, number = docket.order.paid_order_id.partition("/")
    count = len(docket.paying.after_sales.reships)
    while True:
        count += 1
        order_id = f"{channel}/{number[: 100 - len(f'+R{count}')]}+R{count}"
        if orders.find(docket.view, order_id) is None:
            return order_id


def follow_reship(view: View, case_id: str, now: datetime) -> list[Change]:
    """Notice that a reship has ended: what arrived is remedied, the rest is due a refund. Else records nothing."""
    if cases.find(view, case_id) is None:
        return []
    return _CaseDocket(view, case_id, now).close()


def reship_end(view: View, case: Case, now: datetime) -> list[CaseFact]:
    """What follows for the case once no unit of its reship is under way any more."""
    reship = orders.find(view, case.reship.order_id) if case.reship is not None else None
    if reship is None or not has_ended(reship):
        return []
    assert case.reship is not None, "it was found by the case"
    arrived = _arrived_whole(reship, case.reship.by_line)
    ends = (ReshipFailure.LOST, ReshipFailure.RETURNED, ReshipFailure.CANCELLED)
    because = next((end for end in ends if reship.units(end)), ReshipFailure.CANCELLED)
    return cases.end_reship(case, arrived, minus(case.reship.by_line, arrived), because, now)


def _arrived_whole(reship: Order, by_line: Units) -> Units:
    """Units of a case that arrived; of what was sent as the parts of a bundle, those of which each part did."""
    delivered, arrived = reship.in_bucket("delivered"), Units()
    for line_no, units in by_line.items():
        lines = {line_no: 1}
        if line_no not in reship.lines:
            of = {n: line.part_of for n, line in reship.lines.items() if line.part_of is not None}
            lines = {n: part.units for n, part in of.items() if part.line_no == line_no}
        if whole := min(units, *(delivered.get(n, 0) // each for n, each in lines.items())):
            arrived[line_no] = whole
    return arrived


def _refund_difference(docket: _CaseDocket, ended: Iterable[CaseFact]) -> None:
    """What units of another SKU cost less is refunded once they have arrived, as far as money is left."""
    case, paying = docket.case, docket.paying
    price = case.chosen.exchange.unit_price_minor if case.chosen and case.chosen.exchange else None
    refund_id = f"{case.case_id}-difference"
    arrived = next((fact for fact in ended if isinstance(fact, cases.ReshipArrived)), None)
    if price is None or arrived is None or refund_id in paying.after_sales.refunds:
        return
    left = orders.left_to_go_back(paying, paying.after_sales.booked_minor)
    amounts: Amounts = {}
    for line_no, units in arrived.by_line.items():
        less = paying.lines[line_no].worth_minor(units) - units * price
        of_line = orders.refundable_minor(paying, line_no) - paying.after_sales.refunded_minor(line_no)
        if (amount := min(less, of_line, left)) > 0:
            amounts[line_no], left = amount, left - amount
    if amounts:
        units_of = {n: arrived.by_line[n] for n in amounts}
        exact = {n: orders.share_minor(paying, n, count) for n, count in units_of.items()}
        exact = {n: minor for n, minor in exact.items() if paying.lines[n].total_minor is not None}
        at = arrived.at
        granted = RefundGranted(case.case_id, refund_id, units_of, amounts, paying.currency, at)
        docket.add([_pay_by(docket.view, granted)])
        booked = after_sales.RefundBooked(paying.order_id, case.case_id, refund_id, units_of, amounts, at, exact)
        docket.add_to_paying([booked])


def has_ended(order: Order) -> bool:
    """Whether no unit of it is still to arrive."""
    return not any(map(order.units, orders.UNDER_WAY))


# --- remedies: goods that come back ---------------------------------------------------------------


def label_return(view: View, labelled: ReturnLabelled, now: datetime) -> list[Change]:
    """The customer has a label; who pays the freight is recorded. Only delivered units come back, each once."""
    view.need(policies.stream(), cases.stream(labelled.case_id))
    docket = _CaseDocket(view, labelled.case_id, now)
    case, order = docket.case, docket.order
    present = case.labels.get(labelled.label_id)
    by_line = labelled.by_line or (case.todo if present is None else present.by_line)
    payer = Party.RETAILER
    if case.ruling is not None:
        payer = cases.freight_payer(case, policy_at(policies.find(view), case.opened.at).free_return_within_days)
    senders = [case.opened.suppliers.get(line_no, "") for line_no in by_line]
    supplier_id = labelled.supplier_id or (senders[0] if senders else "")
    whole = replace(labelled, by_line=by_line, freight_payer=payer, supplier_id=supplier_id)
    if docket.add(cases.label(case, whole)) and present is None:
        expected = after_sales.ReturnExpected(order.order_id, case.case_id, by_line, labelled.at)
        docket.add_to_order(after_sales.expect_return(order.after_sales, expected, order.in_bucket("delivered")))
    return docket.close()


def ship_return(
    view: View, case_id: str, label_id: str, carrier: str, number: str, at: datetime, now: datetime
) -> list[Change]:
    """The customer sent a label's units back; their parcel is followed like any other."""
    view.need(policies.stream(), cases.stream(case_id), parcels.stream(carrier, number))
    docket = _CaseDocket(view, case_id, now)
    if cases.ship_back(docket.case, label_id, carrier, number):
        label = docket.case.labels[label_id]
        registration = ParcelRegistered(
            carrier,
            number,
            epoch=0,
            at=at,
            by_line=label.by_line,
            return_of=case_id,
            exists_from=earliest(docket.order.placed.placed_at, label.at, at),
        )
        parcel, facts = delivery.registered(view, registration)
        docket.add_others(parcels.stream(carrier, number), facts)
        docket.add([ReturnShipped(case_id, label_id, carrier, number, parcel.epoch, at)])
    return docket.close()


def receive_return(view: View, case_id: str, by_line: Units, at: datetime, now: datetime) -> list[Change]:
    """Records how many units have come back in total."""
    docket = _CaseDocket(view, case_id, now)
    docket.add(cases.receive(docket.case, by_line, at))
    return docket.close()


def inspect_return(
    view: View, case_id: str, by_line: dict[LineNo, Inspection], supplier_id: str, at: datetime, now: datetime
) -> list[Change]:
    """The inspection results in total; units that are newly fit for sale go back into stock, once."""
    docket = _CaseDocket(view, case_id, now)
    case = docket.case
    cases.require_lines(case, by_line)
    if all(case.inspection(line_no) == found for line_no, found in by_line.items()):
        return docket.close()
    back = _back_undelivered(docket, by_line, at)
    undelivered = back.by_line if back is not None else {}
    restocked = cases.inspect(case, by_line, undelivered)
    into = {n: supplier_id or case.opened.suppliers.get(n, "") for n in restocked}
    streams = {n: stock.stream(into[n], docket.order.lines[n].sku) for n in restocked}
    view.need(*streams.values())
    docket.add([ReturnInspected(case_id, by_line, at, into, undelivered)])
    docket.add_to_order([back] if back is not None else [])
    for (owner, sku), units in _items(docket.order, into, restocked).items():
        docket.add_others(stock.stream(owner, sku), stock.restock(owner, sku, units, "returned", at, case_id))
    return docket.close()


def _back_undelivered(
    docket: _CaseDocket, by_line: dict[LineNo, Inspection], at: datetime
) -> after_sales.ReturnedInspected | None:
    """The inspected units that nobody received from the customer, as far as they came back undelivered."""
    case, order = docket.case, docket.order
    beyond = {n: found.looked_at - case.received.get(n, 0) for n, found in by_line.items()}
    returned = order.in_bucket("returned")
    return after_sales.inspect_returned(order.after_sales, order.order_id, case.case_id, beyond, returned, at)


def _items(order: Order, into: dict[LineNo, str], units: Units) -> dict[tuple[str, str], int]:
    """Units by supplier and SKU: two lines may be of the same."""
    items: dict[tuple[str, str], int] = {}
    for line_no, count in units.items():
        item = (into[line_no], order.lines[line_no].sku)
        items[item] = items.get(item, 0) + count
    return items


# --- remedies: money ------------------------------------------------------------------------------


def grant_refund(
    view: View,
    case_id: str,
    refund_id: str,
    by_line: Units,
    share_basis_points: int,
    amounts_minor: Amounts,
    at: datetime,
    now: datetime,
    charges_minor: Mapping[str, int] = {},
) -> list[Change]:
    """Money back for units and of charges: amounts that are named, or a share of the units' price.

    Without named units and charges all undecided units are meant; 0 of a charge means all that is left of it. A named
    amount above what is left of what was paid is refused; a share gives at most what is left. The same refund again
    records nothing.
    """
    docket = _CaseDocket(view, case_id, now)
    case, paying = docket.case, docket.paying
    present = case.refunds.get(refund_id)
    if present is not None:
        if by_line not in ({}, present.by_line):
            raise cases.RefundGrantedDifferently(refund_id)
        return docket.close()
    if refund_id in paying.after_sales.refunds:
        raise cases.RefundGrantedDifferently(refund_id)
    units = by_line
    if not by_line and not charges_minor:
        undecided = case.undecided if case.remedy is Remedy.RETURN else case.todo
        units = {n: min(count, case.todo.get(n, 0)) for n, count in undecided.items()}
    cases.require_undecided(case, units)
    orders.require_paid(paying)
    for line_no in units:
        if line_no not in paying.lines:  # a part of a bundle that was sent instead of what was paid
            raise supplier_orders.UnknownLine(f"order {paying.order_id}", line_no)
    most = _most_minor(docket)
    shares = {n: share_of(case, paying, n, count).at_most(most * count) for n, count in units.items()}
    amounts = amounts_of(paying, shares, share_basis_points, amounts_minor)
    freight = take_off(amounts, {n for n in amounts if n not in amounts_minor}, case.freight_owed_minor)
    charged = charge_amounts(paying, charges_minor, paying.after_sales.booked_minor + sum(amounts.values()))
    granted = RefundGranted(case_id, refund_id, units, amounts, paying.currency, at, charged, freight)
    docket.add(cases.grant_refund(case, _pay_by(view, granted)))
    exact = {n: share.fresh_minor for n, share in shares.items() if paying.lines[n].total_minor is not None}
    booked = after_sales.RefundBooked(paying.order_id, case_id, refund_id, units, amounts, at, exact, charged)
    paid = {n: orders.refundable_minor(paying, n) for n in amounts}
    docket.add_to_paying(after_sales.book_refund(paying.after_sales, booked, paid, paying.currency))
    return docket.close()


def _most_minor(docket: _CaseDocket) -> int:
    """What one unit of a case can be worth: no more than it cost where it was sent for dearer ones."""
    if not (exchanged_in := docket.order.placed.reship_of):
        return MOST_MINOR
    docket.view.need(cases.stream(exchanged_in))
    chosen = cases.known(cases.find(docket.view, exchanged_in), exchanged_in).chosen
    price = chosen.exchange.unit_price_minor if chosen is not None and chosen.exchange is not None else None
    return MOST_MINOR if price is None else price


def deny_refund(view: View, case_id: str, by_line: Units, because: Denial, at: datetime, now: datetime) -> list[Change]:
    """Deny a refund for these units, or for all undecided ones; they are not awaited any more."""
    docket = _CaseDocket(view, case_id, now)
    facts = cases.deny_refund(docket.case, by_line, because, at)
    docket.add(facts)
    for fact in facts:
        if fact.not_awaited:
            given_up = after_sales.ReturnGivenUp(docket.order.order_id, case_id, fact.not_awaited, at)
            docket.add_to_order([given_up])
    return docket.close()


def take_back_refund(
    view: View, case_id: str, refund_id: str, because: Denial, at: datetime, now: datetime
) -> list[Change]:
    """Withdraw a granted refund that cannot be paid, because the order's money went back in another way."""
    docket = _CaseDocket(view, case_id, now)
    paying = docket.paying
    docket.add(cases.take_back_refund(docket.case, refund_id, because, orders.left_minor(paying), at))
    unbooked = Docket(paying, [after_sales.RefundUnbooked(paying.order_id, refund_id, at)])
    unbooked.add(newly_owed(view, unbooked.order))
    docket.add_to_paying(unbooked.facts)
    return docket.close()


def record_refund_paid(
    view: View, case_id: str, refund_id: str, reference: str, at: datetime, now: datetime
) -> list[Change]:
    """The shop paid a refund out; the order's payment follows. A repetition records nothing."""
    docket = _CaseDocket(view, case_id, now)
    if docket.add(cases.pay_refund(docket.case, refund_id, reference, at)):
        order_docket = Docket(docket.paying, orders.pay_refund(docket.paying, refund_id, at, reference))
        stopped = intake.stop_reversed(view, order_docket, now)
        order_docket.add(newly_owed(view, order_docket.order))
        docket.add_to_paying([*order_docket.facts, *breaches.settle(order_docket.order, now)])
        docket.changes += [*stopped, *intake.follow_money(view, order_docket, now)]
    return docket.close()
