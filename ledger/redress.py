"""Recovering costs: what orders, parcels, agreements and the retailer's terms make of a recovery (DOMAIN 5).

What a remedy or a delivery calls here refuses nothing, so that neither ever waits for a recovery.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import count

from msgspec.structs import replace

from ledger import claims, parcels, recoveries
from ledger.orders import Order, Shipment
from ledger.parcels import Parcel
from ledger.policies import policy_at
from ledger.recoveries import Cost, CostKind, Kind, Recovery, RecoveryOpened, Status, Subject
from ledger.refusals import AlreadyExists, Forbidden
from ledger.values import Change, parcel_stream, recovery_stream
from ledger.view import View, changes_of, order_in

_ENDS = frozenset(status for status in Status if status.is_end)
_ANEW = frozenset({Status.SETTLED, Status.WITHDRAWN})
"""After one of these, what is spent later is a recovery more; after any other end nothing more is asked."""
_NO_CLAIM = frozenset({Status.WITHDRAWN, Status.WRITTEN_OFF})
"""A claim that came to one of these leaves room for another one on the same parcel."""


# --- refusals -------------------------------------------------------------------------------------


class ParcelNotOfOrder(Forbidden):
    def __init__(self, carrier: str, number: str, order_id: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} carries nothing of order {order_id}",
            carrier=carrier,
            number=number,
            order_id=order_id,
        )


class ClaimedAlready(AlreadyExists):
    def __init__(self, carrier: str, number: str, recovery_id: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is claimed for in recovery {recovery_id}; raise that one",
            carrier=carrier,
            number=number,
            recovery_id=recovery_id,
        )


# --- what people ask --------------------------------------------------------------------------------


def open_recovery(
    view: View, recovery_id: str, kind: Kind, subject: Subject, currency: str, costs: tuple[Cost, ...], at: datetime
) -> list[Change]:
    """A recovery that a person opens; subject names the supplier order, or the parcel."""
    order = order_in(view, subject.order_id)
    if kind is Kind.SUPPLIER_FAULT:
        supplier_id = order.supplier_order(subject.supplier_order_id).supplier_id
        return _propose(view, recovery_id, replace(subject, supplier_id=supplier_id), currency, costs, at)
    parcel = parcels.known(view.parcel(subject.carrier, subject.number), subject.carrier, subject.number)
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch)
    if shipment is None:
        raise ParcelNotOfOrder(parcel.carrier, parcel.number, order.order_id)
    subject = _of_shipment(order, shipment, subject.case_id)
    if kind is Kind.FOUND_AFTER_LOSS:
        return _record(view, RecoveryOpened(recovery_id, kind, subject, currency, at, costs))
    claim = _claim_on(view, parcel, kind, currency)
    if claim is not None and claim.recovery_id != recovery_id:
        raise ClaimedAlready(parcel.carrier, parcel.number, claim.recovery_id)
    return _claim(view, recovery_id, kind, subject, parcel, shipment, currency, costs, at)


def raise_recovery(view: View, recovery_id: str, cost: Cost, currency: str, at: datetime) -> list[Change]:
    """One more cost; the supplier's answer to it is due anew."""
    recovery = recoveries.known(view.recovery(recovery_id), recovery_id)
    answer_by = _answer_by(view, recovery.subject.supplier_id, at) if recovery.kind is Kind.SUPPLIER_FAULT else None
    return changes_of(recovery_stream(recovery_id), recoveries.raised(recovery, cost, currency, answer_by, at))


# --- what follows of itself -------------------------------------------------------------------------


def recover(
    view: View, kind: Kind, subject: Subject, currency: str, costs: Sequence[Cost], at: datetime
) -> list[Change]:
    """What a case costs, asked of whom it was ruled on: opens the case's recovery, or raises it by what is new.

    It never refuses. What cannot be recovered any more, or from nobody that is known, records nothing.
    """
    order = view.order(subject.order_id)
    if order is None:
        return []
    if kind is Kind.SUPPLIER_FAULT:
        recovery_id, recovery = _under(view, f"{subject.case_id}/supplier/{currency}")
        if recovery is None:
            return _propose(view, recovery_id, subject, currency, tuple(costs), at) if subject.supplier_id else []
        return _raise_by(view, recovery, costs, at)
    parcel = view.parcel(subject.carrier, subject.number) if subject.number else None
    shipment = order.shipment(parcel.carrier, parcel.number, parcel.epoch) if parcel else None
    if parcel is None or shipment is None:
        return []
    claim = _claim_on(view, parcel, kind, currency)
    if claim is not None:
        return _raise_by(view, claim, costs, at)
    recovery_id, recovery = _under(view, f"{subject.case_id}/carrier/{currency}")
    if recovery is not None:
        return []
    subject = _of_shipment(order, shipment, subject.case_id)
    return _claim(view, recovery_id, kind, subject, parcel, shipment, currency, tuple(costs), at)


def found_after_loss(view: View, order: Order, shipment: Shipment, parcel: Parcel, now: datetime) -> list[Change]:
    """A parcel that was given up arrived: what was refunded or claimed for it has to be looked at again."""
    delivered_at = parcel.delivered_at or now
    losses = [claim for claim in _claims_on(view, parcel) if claim.kind is Kind.CARRIER_LOSS]
    changes: list[Change] = []
    for loss in losses:
        changes += changes_of(recovery_stream(loss.recovery_id), claims.find(loss, delivered_at, now))
    recovery_id, recovery = _under(view, f"{parcel.carrier}/{parcel.number}/{parcel.epoch}/found", _ENDS)
    if recovery is not None:
        return changes
    subject = _of_shipment(order, shipment, "")
    refunds = _refunds(losses, order.currency)
    opening = RecoveryOpened(recovery_id, Kind.FOUND_AFTER_LOSS, subject, order.currency, now, refunds)
    return [*changes, *_record(view, opening)]


def _refunds(losses: Sequence[Recovery], currency: str) -> tuple[Cost, ...]:
    """What the customer was given back for the loss, as far as it was claimed from the carrier."""
    costs = (cost for loss in losses if loss.currency == currency for cost in loss.costs)
    return tuple({cost.cost_id: cost for cost in costs if cost.kind is CostKind.REFUND}.values())


# --- how --------------------------------------------------------------------------------------------


def _under(view: View, name: str, past: frozenset[Status] = _ANEW) -> tuple[str, Recovery | None]:
    """The recovery under a name, or under its next one where that is past; None if it is still to be opened."""
    for n in count(1):
        recovery_id = name if n == 1 else f"{name}/{n}"
        recovery = view.recovery(recovery_id)
        if recovery is None or recovery.status not in past:
            return recovery_id, recovery
    raise AssertionError("counting does not end")


def _raise_by(view: View, recovery: Recovery, costs: Sequence[Cost], at: datetime) -> list[Change]:
    if recovery.status.is_end:
        return []
    present = {cost.cost_id for cost in recovery.costs}
    changes: list[Change] = []
    for cost in {cost.cost_id: cost for cost in costs}.values():
        if cost.cost_id not in present:
            changes += raise_recovery(view, recovery.recovery_id, cost, recovery.currency, at)
    return changes


def _propose(
    view: View, recovery_id: str, subject: Subject, currency: str, costs: tuple[Cost, ...], at: datetime
) -> list[Change]:
    answer_by = _answer_by(view, subject.supplier_id, at)
    return _record(
        view, RecoveryOpened(recovery_id, Kind.SUPPLIER_FAULT, subject, currency, at, costs, answer_by=answer_by)
    )


def _answer_by(view: View, supplier_id: str, at: datetime) -> datetime | None:
    supplier = view.supplier(supplier_id)
    agreement = supplier.agreement_at(at) if supplier else None
    return agreement.answer_by(at) if agreement else None


def _claim(
    view: View,
    recovery_id: str,
    kind: Kind,
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
    terms = policy_at(view.policy(), dispatched_at).claim_terms_of(parcel.carrier)
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
    return [*changes, (parcel_stream(parcel.carrier, parcel.number), claimed)]


def _record(view: View, opening: RecoveryOpened) -> list[Change]:
    facts = recoveries.opened(view.recovery(opening.recovery_id), opening)
    return changes_of(recovery_stream(opening.recovery_id), facts)


def _claims_on(view: View, parcel: Parcel) -> Iterator[Recovery]:
    for recovery_id in parcel.claims:
        claim = view.recovery(recovery_id)
        if claim is not None:
            yield claim


def _claim_on(view: View, parcel: Parcel, kind: Kind, currency: str) -> Recovery | None:
    """The claim of this kind that the carrier has or had: it takes one for a parcel, also if that came to nothing."""
    same = (claim for claim in _claims_on(view, parcel) if (claim.kind, claim.currency) == (kind, currency))
    return next((claim for claim in same if claim.status not in _NO_CLAIM), None)


def _of_shipment(order: Order, shipment: Shipment, case_id: str) -> Subject:
    supplier_order = order.supplier_order(shipment.supplier_order_id)
    return Subject(
        order.order_id,
        supplier_order.supplier_order_id,
        supplier_order.supplier_id,
        case_id,
        shipment.carrier,
        shipment.number,
        shipment.epoch,
    )
