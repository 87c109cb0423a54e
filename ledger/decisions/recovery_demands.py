"""Recovering costs, by orders, parcels, agreements and the retailer's terms (DOMAIN 5).

Functions that remedies and deliveries call refuse nothing, so that neither ever waits for a recovery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple, cast

from msgspec.structs import replace

from ledger.decisions.docket import order_in
from ledger.facts import Change, LineNo, Units, changes_of
from ledger.nouns import (
    cases,
    claims,
    orders,
    parcels,
    policies,
    recoveries,
    suppliers,
)
from ledger.nouns.orders import Order, Shipment
from ledger.nouns.parcels import Parcel, ParcelStatus
from ledger.nouns.policies import policy_at
from ledger.nouns.recoveries import (
    Cost,
    CostKind,
    Recovery,
    RecoveryFact,
    RecoveryKind,
    RecoveryOpened,
    RecoveryStatus,
    Subject,
)
from ledger.refusals import AlreadyExists, Forbidden
from ledger.terms.money import MOST_MINOR, TotalTooLarge, largest_total
from ledger.view import View

_ENDS = frozenset(status for status in RecoveryStatus if status.is_end)
_NEXT_RECOVERY_AFTER = frozenset({RecoveryStatus.SETTLED, RecoveryStatus.WITHDRAWN})
"""After one of these ends, later costs open a new recovery; after any other end nothing more is demanded."""
_NO_CLAIM = frozenset({RecoveryStatus.WITHDRAWN, RecoveryStatus.WRITTEN_OFF})
"""After a claim with one of these statuses, another claim on the same parcel is possible."""


# --- refusals -------------------------------------------------------------------------------------


class ParcelNotOfOrder(Forbidden, reason="PARCEL_NOT_OF_ORDER"):
    says = "parcel {number} of {carrier} carries nothing of order {order_id}"
    carrier: str
    number: str
    order_id: str


class ParcelIsDelivered(Forbidden, reason="PARCEL_IS_DELIVERED"):
    says = "parcel {number} of {carrier} is delivered; no loss can be claimed unless the delivery is disputed"
    carrier: str
    number: str
    delivered_at: datetime


class CaseOfAnotherOrder(Forbidden, reason="CASE_OF_ANOTHER_ORDER"):
    says = "case {case_id} is about order {order_id}"
    case_id: str
    order_id: str


class ClaimedAlready(AlreadyExists, reason="CLAIMED_ALREADY"):
    says = "parcel {number} of {carrier} is claimed for in recovery {recovery_id}; raise that one"
    carrier: str
    number: str
    recovery_id: str


# --- what people ask --------------------------------------------------------------------------------


def open_recovery(
    view: View,
    recovery_id: str,
    kind: RecoveryKind,
    subject: Subject,
    currency: str,
    costs: tuple[Cost, ...],
    at: datetime,
) -> list[Change]:
    """A recovery that a person opens; subject names the supplier order, or the parcel."""
    order = order_in(view, subject.order_id)
    if subject.case_id:
        case = cases.known(cases.find(view, subject.case_id), subject.case_id)
        if case.order_id != order.order_id:
            raise CaseOfAnotherOrder(case.case_id, case.order_id)
    if kind is RecoveryKind.SUPPLIER_FAULT:
        supplier_id = order.supplier_order(subject.supplier_order_id).supplier_id
        return _propose(view, recovery_id, replace(subject, supplier_id=supplier_id), currency, costs, at)
    parcel = parcels.known(parcels.find(view, subject.carrier, subject.number), subject.carrier, subject.number)
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch)
    if shipment is None:
        raise ParcelNotOfOrder(parcel.carrier, parcel.number, order.order_id)
    subject = _of_shipment(order, shipment, subject.case_id)
    if kind is RecoveryKind.FOUND_AFTER_LOSS:
        return _record(view, RecoveryOpened(recovery_id, kind, subject, currency, at, costs))
    claim = _claim_on(view, parcel, kind, currency)
    if claim is not None and claim.recovery_id != recovery_id:
        raise ClaimedAlready(parcel.carrier, parcel.number, claim.recovery_id)
    if (
        kind is RecoveryKind.CARRIER_LOSS
        and parcel.delivered_at is not None
        and recoveries.find(view, recovery_id) is None
    ):
        raise ParcelIsDelivered(parcel.carrier, parcel.number, parcel.delivered_at)
    return _claim(view, recovery_id, kind, subject, parcel, shipment, currency, costs, at)


def raise_recovery(view: View, recovery_id: str, cost: Cost, currency: str, at: datetime) -> list[Change]:
    """One more cost; the supplier's answer to it is due anew."""
    recovery = recoveries.known(recoveries.find(view, recovery_id), recovery_id)
    asks = recovery.kind is RecoveryKind.SUPPLIER_FAULT
    answer_by, zone = _answer_by(view, recovery.subject.supplier_id, at) if asks else (None, "")
    facts = recoveries.raised(recovery, cost, currency, answer_by, zone, at)
    if facts and recovery.asked_minor + cost.amount_minor > MOST_MINOR:
        total = recovery.money(recovery.asked_minor + cost.amount_minor)
        raise TotalTooLarge(f"recovery {recovery_id}", total, largest_total(total.currency))
    return changes_of(recoveries.stream(recovery_id), facts)


# --- what follows of itself -------------------------------------------------------------------------


class Demand(NamedTuple):
    """All that one party is asked for because of a case, in one currency."""

    kind: RecoveryKind
    subject: Subject
    """With a case; its supplier of a supplier's fault, its parcel of a claim."""
    currency: str
    costs: tuple[Cost, ...] = ()
    """Their ids begin with the case's, see cost_id."""


def cost_id(case_id: str, *what: object) -> str:
    return ":".join((case_id, *map(str, what)))


def recover(view: View, demand: Demand, at: datetime) -> list[Change]:
    """Opens the recovery of a case, or changes it to what is demanded now.

    It never refuses. If the recovery is over or nobody is known to pay, it records nothing.
    """
    order = orders.find(view, demand.subject.order_id)
    if order is None:
        return []
    if demand.kind is RecoveryKind.SUPPLIER_FAULT:
        return _demand_of_supplier(view, demand, at)
    return _demand_of_carrier(view, order, demand, at)


def _demand_of_supplier(view: View, demand: Demand, at: datetime) -> list[Change]:
    subject, currency = demand.subject, demand.currency
    if not subject.supplier_id:
        return []
    found = _under(view, f"{subject.case_id}/supplier/{subject.supplier_id}/{currency}")
    costs = found.new(demand.costs)
    if found.present is not None:
        return _adjust(view, found.present, subject.case_id, costs, at)
    if found.past and not costs:
        return []
    return _propose(view, found.recovery_id, subject, currency, costs, at)


def _demand_of_carrier(view: View, order: Order, demand: Demand, at: datetime) -> list[Change]:
    subject, currency = demand.subject, demand.currency
    parcel = parcels.find(view, subject.carrier, subject.number) if subject.number else None
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch) if parcel else None
    if parcel is None or shipment is None:
        return []
    claim = _claim_on(view, parcel, demand.kind, currency)
    if claim is not None:
        whose = "" if claim.subject.order_id == order.order_id else order.order_id
        costs = [replace(cost, order_id=whose) for cost in demand.costs] if whose else demand.costs
        return _adjust(view, claim, subject.case_id, costs, at)
    found = _under(view, f"{subject.case_id}/carrier/{parcel.carrier}/{parcel.number}/{currency}")
    arrived = demand.kind is RecoveryKind.CARRIER_LOSS and parcel.delivered_at is not None
    if found.present is not None or arrived:
        return []
    subject = _of_shipment(order, shipment, subject.case_id)
    return _claim(view, found.recovery_id, demand.kind, subject, parcel, shipment, currency, demand.costs, at)


def give_up(view: View, demand: Demand, because: str, at: datetime) -> list[Change]:
    """Nothing is demanded any more: the costs of the case are withdrawn, and an empty recovery is written off.

    A recovery that was agreed on or claimed already goes on.
    """
    subject, currency = demand.subject, demand.currency
    if demand.kind is RecoveryKind.SUPPLIER_FAULT:
        present = _under(view, f"{subject.case_id}/supplier/{subject.supplier_id}/{currency}").present
    else:
        parcel = parcels.find(view, subject.carrier, subject.number) if subject.number else None
        present = _claim_on(view, parcel, demand.kind, currency) if parcel else None
    if present is None or present.status.is_end:
        return []
    changes = _adjust(view, present, subject.case_id, (), at)
    left = present
    for _, fact in changes:
        left = recoveries.evolve(left, cast("RecoveryFact", fact))
    if left.costs or left.subject.case_id != subject.case_id:
        return changes
    return [*changes, *changes_of(recoveries.stream(left.recovery_id), recoveries.write_off(left, because, at))]


def arrive(view: View, parcel: Parcel, now: datetime) -> list[Change]:
    """A delivered or returned parcel was not lost: claims for its loss are withdrawn, or marked for a review."""
    back_at = parcel.last_seen_at if parcel.status is ParcelStatus.RETURNED else None
    found_at = parcel.delivered_at or back_at
    if found_at is None:
        return []
    changes: list[Change] = []
    for loss in _losses(view, parcel):
        changes += changes_of(recoveries.stream(loss.recovery_id), claims.find(loss, found_at, now))
    return changes


class GivenForLosses(NamedTuple):
    """What the customer of an order was given back for units that had not arrived."""

    order: Order
    booked: Mapping[LineNo, Sequence[tuple[int, str, int]]]
    """By line: the place of each refund among those of the order, the name of what it cost, and how much that was."""
    beside_minor: int
    """What the shop refunded or a bank took back, but for cancelled units."""


def given_for_losses(order: Order) -> GivenForLosses:
    """It is the same for all parcels of the order."""
    booked: defaultdict[LineNo, list[tuple[int, str, int]]] = defaultdict(list)
    for place, (refund_id, refund) in enumerate(order.after_sales.refunds.items()):
        if not order.after_sales.cases[refund.case_id].arrived:
            for line_no, amount_minor in refund.amounts_minor.items():
                booked[line_no].append((place, cost_id(refund.case_id, "refund", refund_id), amount_minor))
    if order.payment is orders.PaymentState.REFUNDED:
        return GivenForLosses(order, booked, orders.came_in_minor(order))
    beside = orders.refunded_by_shop_minor(order) + orders.charged_back_minor(order)
    return GivenForLosses(order, booked, beside - orders.cancelled_minor(order))


def found_after_loss(
    view: View, given: GivenForLosses, shipment: Shipment, parcel: Parcel, now: datetime
) -> list[Change]:
    """A parcel that was given up arrived: what an order was refunded for it has to be reviewed, unless it is an old one
    that was recorded for its figures."""
    order = given.order
    if order.placed.historical:
        return []
    whose = "" if order.order_id == parcel.order_id else f"/{order.order_id}"
    found = _under(view, f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/found{whose}", _ENDS)
    if found.present is not None:
        return []
    subject = _of_shipment(order, shipment, "")
    costs = _given_for(given, shipment, _losses(view, parcel))
    opening = RecoveryOpened(found.recovery_id, RecoveryKind.FOUND_AFTER_LOSS, subject, order.currency, now, costs)
    return _record(view, opening)


def _given_for(given: GivenForLosses, shipment: Shipment, losses: Sequence[Recovery]) -> tuple[Cost, ...]:
    """What the customer was refunded for units that had not arrived: as booked in the order, else as claimed, else
    beside all cases."""
    order, by_line = given.order, given.order.in_parcel(shipment)
    amounts: defaultdict[tuple[int, str], int] = defaultdict(int)
    for place, named, amount_minor in (each for line_no in by_line for each in given.booked.get(line_no, ())):
        amounts[place, named] += amount_minor
    booked = [
        Cost(named, CostKind.REFUND, min(minor, MOST_MINOR)) for (_, named), minor in sorted(amounts.items()) if minor
    ]
    costs = ((loss, cost) for loss in losses if loss.currency == order.currency for cost in loss.costs)
    own = (cost for loss, cost in costs if (cost.order_id or loss.subject.order_id) == order.order_id)
    claimed = {cost.cost_id: cost for cost in own if cost.kind is CostKind.REFUND}
    return tuple(booked or claimed.values() or _given_beside_cases(given, by_line))


def _given_beside_cases(given: GivenForLosses, by_line: Units) -> Iterator[Cost]:
    """As far as these units cost so much."""
    worth = sum(given.order.lines[line_no].worth_minor(units) for line_no, units in by_line.items())
    if (amount_minor := min(worth, given.beside_minor, MOST_MINOR)) > 0:
        yield Cost(cost_id(given.order.order_id, "refund"), CostKind.REFUND, amount_minor)


# --- how --------------------------------------------------------------------------------------------


class _Found(NamedTuple):
    """The recovery under a name, or where it is still to be opened; and those that were over before it."""

    recovery_id: str
    present: Recovery | None
    past: tuple[Recovery, ...]

    def new(self, costs: Sequence[Cost]) -> tuple[Cost, ...]:
        """The costs that were not asked for before."""
        if not self.past:
            return tuple(costs)
        asked = {cost.cost_id for recovery in self.past for cost in recovery.costs}
        return tuple(cost for cost in costs if cost.cost_id not in asked)


def _under(view: View, name: str, ends: frozenset[RecoveryStatus] = _NEXT_RECOVERY_AFTER) -> _Found:
    """The recovery under a name, or under the next name if that recovery came to one of these ends."""
    past: list[Recovery] = []
    while True:
        recovery_id = f"{name}/{len(past) + 1}" if past else name
        recovery = recoveries.find(view, recovery_id)
        if recovery is None or not (recovery.status in ends or _was_empty(recovery)):
            return _Found(recovery_id, recovery, tuple(past))
        past.append(recovery)


def _was_empty(recovery: Recovery) -> bool:
    return recovery.status is RecoveryStatus.WRITTEN_OFF and not recovery.costs


def _adjust(view: View, recovery: Recovery, case_id: str, costs: Sequence[Cost], at: datetime) -> list[Change]:
    """Raises a recovery by new costs of a case, and withdraws costs that are gone."""
    if recovery.status.is_end:
        return []
    wanted, present = {cost.cost_id: cost for cost in costs}, recovery.costs_by_id
    new = [cost for each, cost in wanted.items() if each not in present]
    gone = [each for each in present if each not in wanted and each.startswith(cost_id(case_id, ""))]
    asks = new and not recovery.kind.is_claim
    answer_by, zone = _answer_by(view, recovery.subject.supplier_id, at) if asks else (None, "")
    facts: list[RecoveryFact] = []
    for cost in new:
        facts += recoveries.raised(recovery, cost, recovery.currency, answer_by, zone, at)
    if gone:
        # How much can be withdrawn depends on what is asked after the raise.
        facts += recoveries.withdraw(reduce(recoveries.evolve, facts, recovery), gone, at)
    return changes_of(recoveries.stream(recovery.recovery_id), facts)


def _propose(
    view: View, recovery_id: str, subject: Subject, currency: str, costs: tuple[Cost, ...], at: datetime
) -> list[Change]:
    answer_by, zone = _answer_by(view, subject.supplier_id, at)
    return _record(
        view,
        RecoveryOpened(
            recovery_id,
            RecoveryKind.SUPPLIER_FAULT,
            subject,
            currency,
            at,
            costs,
            answer_by=answer_by,
            time_zone=zone,
        ),
    )


def _answer_by(view: View, supplier_id: str, at: datetime) -> tuple[datetime | None, str]:
    """When a supplier that is asked now has to answer, and the time zone of its calendar."""
    supplier = suppliers.find(view, supplier_id)
    agreement = supplier.agreement_at(at) if supplier else None
    return (agreement.answer_by(at), agreement.time_zone) if agreement else (None, "")


def _claim(
    view: View,
    recovery_id: str,
    kind: RecoveryKind,
    subject: Subject,
    parcel: Parcel,
    shipment: Shipment,
    currency: str,
    costs: tuple[Cost, ...],
    at: datetime,
) -> list[Change]:
    """A claim on the terms that were in force when the parcel was given to the carrier."""
    dispatched_at = shipment.shipped_at
    last_seen_at = parcels.last_sign_at(parcel) or dispatched_at
    terms = policy_at(policies.find(view), dispatched_at).claim_terms_of(parcel.carrier)
    subject = replace(subject, further_order_ids=tuple(each for each in parcel.order_ids if each != subject.order_id))
    opening = RecoveryOpened(
        recovery_id,
        kind,
        subject,
        currency,
        at,
        costs,
        eligible_at=terms.eligible_at(kind, last_seen_at),
        file_by=terms.file_by(kind, dispatched_at, parcel.delivered_at or last_seen_at),
        liability_minor=terms.liability_minor(currency),
        documents=terms.documents(kind),
    )
    changes = _record(view, opening)
    if not changes:
        return []
    claimed = parcels.ClaimOpened(parcel.carrier, parcel.number, recovery_id, at)
    return [*changes, (parcels.stream(parcel.carrier, parcel.number), claimed)]


def _record(view: View, opening: RecoveryOpened) -> list[Change]:
    facts = recoveries.opened(recoveries.find(view, opening.recovery_id), opening)
    return changes_of(recoveries.stream(opening.recovery_id), facts)


def _losses(view: View, parcel: Parcel) -> list[Recovery]:
    return [claim for claim in _claims_on(view, parcel) if claim.kind is RecoveryKind.CARRIER_LOSS]


def _claims_on(view: View, parcel: Parcel) -> Iterator[Recovery]:
    for recovery_id in parcel.claims:
        claim = recoveries.find(view, recovery_id)
        if claim is not None:
            yield claim


def _claim_on(view: View, parcel: Parcel, kind: RecoveryKind, currency: str) -> Recovery | None:
    """The claim of this kind for the parcel, also an ended one: a carrier accepts only one."""
    same = (claim for claim in _claims_on(view, parcel) if (claim.kind, claim.currency) == (kind, currency))
    return next((claim for claim in same if claim.status not in _NO_CLAIM), None)


def _of_shipment(order: Order, shipment: Shipment, case_id: str) -> Subject:
    supplier_order = order.supplier_order(shipment.supplier_order_id)
    return Subject(
        order_id=order.order_id,
        supplier_order_id=supplier_order.supplier_order_id,
        supplier_id=supplier_order.supplier_id,
        case_id=case_id,
        carrier=shipment.carrier,
        number=shipment.number,
        epoch=shipment.epoch,
    )
