"""Values and states into messages, as far as several services show them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.v1 import common_pb2, orders_pb2, parcels_pb2, rates_pb2, suppliers_pb2
from ledger.facts import Units
from ledger.nouns.choice import Choice, Considered
from ledger.nouns.orders import Hold
from ledger.nouns.parcels import CustomsAsk, CustomsHold
from ledger.nouns.reviews import Proposal
from ledger.terms.money import Money, in_64_bits
from ledger.terms.parties import Party
from ledger.terms.rates import Rate, is_at_most, is_strict


def number_of(descriptor: Any) -> Callable[[StrEnum], Any]:
    """The way back: the number of a member in the proto enum."""
    prefix = descriptor.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    numbers = {value.name.removeprefix(prefix).lower(): value.number for value in descriptor.DESCRIPTOR.values}
    return lambda member: numbers.get(member.value, 0)


_hold_reason = number_of(orders_pb2.HoldReason)
_against = number_of(suppliers_pb2.Against)
party = number_of(common_pb2.Party)
_proposal_state = number_of(suppliers_pb2.ProposalState)
rate_name = number_of(rates_pb2.RateName)
rate_status = number_of(rates_pb2.RateStatus)
parcel_status = number_of(parcels_pb2.ParcelStatus)
_customs_ask = number_of(parcels_pb2.CustomsAsk)
standing = number_of(suppliers_pb2.SupplierStanding)
verdict = number_of(suppliers_pb2.Verdict)


def stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp


def day(at: date | None) -> str:
    return at.isoformat() if at is not None else ""


def money(money: Money | None) -> common_pb2.Money | None:
    if money is None:
        return None
    return common_pb2.Money(amount_minor=in_64_bits(money.amount_minor), currency=money.currency)


def line_units(units: Units) -> list[common_pb2.LineUnits]:
    return [common_pb2.LineUnits(line_no=line_no, units=count) for line_no, count in units.items()]


def choice(made: Choice) -> suppliers_pb2.Choice:
    return suppliers_pb2.Choice(
        sku=made.sku,
        units=made.units,
        supplier_id=made.supplier_id,
        considered=[_considered(each) for each in made.considered],
        backordered=made.backordered,
        named=made.named,
    )


def _considered(each: Considered) -> suppliers_pb2.Considered:
    return suppliers_pb2.Considered(
        supplier_id=each.supplier_id,
        against=_against(each.against) if each.against else suppliers_pb2.AGAINST_UNSPECIFIED,
        available=each.available,
        minimum_quantity=each.minimum_quantity,
        cost=money(each.cost),
        lead_time_days=each.lead_time_days,
        score_basis_points=each.score_basis_points,
        freight=money(each.freight),
    )


def hold(hold: Hold, note: str = "") -> orders_pb2.Hold:
    return orders_pb2.Hold(
        reason=_hold_reason(hold.reason),
        owner=hold.owner,
        at=stamp(hold.at),
        missing=hold.missing,
        lacking=line_units(hold.lacking),
        supplier_order_id=hold.supplier_order_id,
        choices=[choice(made) for made in hold.choices],
        note=note,
    )


def carrier_number(which: Sequence[Any]) -> common_pb2.CarrierNumber:
    """A carrier and a number, the first in what names a parcel."""
    return common_pb2.CarrierNumber(carrier=which[0], tracking_number=which[1])


def customs_hold(held: CustomsHold) -> parcels_pb2.CustomsHold:
    return parcels_pb2.CustomsHold(
        since=stamp(held.since),
        asks=customs_ask(held.asks),
        answer_by=stamp(held.answer_by),
        asks_of=party_if_any(held.asks_of),
    )


def party_if_any(who: Party | None) -> Any:
    return party(who) if who is not None else common_pb2.PARTY_UNSPECIFIED


def customs_ask(asks: CustomsAsk | None) -> Any:
    return _customs_ask(asks) if asks is not None else parcels_pb2.CUSTOMS_ASK_UNSPECIFIED


def rate(each: Rate) -> rates_pb2.Rate:
    return rates_pb2.Rate(
        name=rate_name(each.name),
        numerator=each.numerator,
        denominator=each.denominator,
        since=stamp(each.since),
        until=stamp(each.until),
        target_basis_points=each.target_basis_points,
        target_is_most=is_at_most(each.name),
        target_is_strict=is_strict(each.name),
        status=rate_status(each.status),
    )


def proposal(supplier_id: str, each: Proposal) -> suppliers_pb2.SuspensionProposal:
    return suppliers_pb2.SuspensionProposal(
        supplier_id=supplier_id,
        rate=rate(each.rate),
        proposed_at=stamp(each.proposed_at),
        state=_proposal_state(each.state),
    )
