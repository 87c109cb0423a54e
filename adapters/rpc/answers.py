"""States into messages: an order, a parcel, a supplier, a stock level as the contract shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from adapters.rpc.shapes import number_of
from fulfilment.v1 import (
    common_pb2,
    inquiries_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    recoveries_pb2,
    shipping_pb2,
    stock_pb2,
    suppliers_pb2,
)
from ledger.decisions import customs
from ledger.decisions.order_stock import Item
from ledger.facts import Sealed, Units
from ledger.nouns.choice import Choice, Considered
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import (
    DelayRuled,
    Hold,
    Line,
    Order,
    Shipment,
)
from ledger.nouns.orders.supplier_orders import CompensationAccrued, SupplierOrder
from ledger.nouns.parcels import (
    Checkpoint,
    CustomsAsk,
    CustomsHold,
    DeliveryProven,
    Parcel,
)
from ledger.nouns.recoveries import Payment, Recovery
from ledger.nouns.reviews import Proposal, SupplierReviewed
from ledger.nouns.stock import Stock
from ledger.nouns.suppliers import Agreement, Offer, Supplier
from ledger.terms.clocks import Clock
from ledger.terms.money import Money, in_64_bits
from ledger.terms.places import Destination
from ledger.terms.rates import Rate, is_at_most, is_strict
from ledger.terms.shipping import Chosen, Incoterm, ShippingService

_order_status = number_of(orders_pb2.OrderStatus)
_supplier_order_status = number_of(orders_pb2.SupplierOrderStatus)
_payment = number_of(orders_pb2.PaymentState)
_priority = number_of(orders_pb2.Priority)
_oddity = number_of(orders_pb2.Oddity)
_hold_reason = number_of(orders_pb2.HoldReason)
_against = number_of(suppliers_pb2.Against)
standing = number_of(suppliers_pb2.SupplierStanding)
recovery_kind = number_of(recoveries_pb2.RecoveryKind)
recovery_status = number_of(recoveries_pb2.RecoveryStatus)
_cost_kind = number_of(recoveries_pb2.CostKind)
document_kind = number_of(recoveries_pb2.ClaimDocumentKind)
_method = number_of(recoveries_pb2.SettlementMethod)
_clock = number_of(orders_pb2.SupplierOrderClock)
_topic = number_of(inquiries_pb2.InquiryTopic)
party = number_of(common_pb2.Party)
_proposal_state = number_of(suppliers_pb2.ProposalState)
rate_name = number_of(rates_pb2.RateName)
rate_status = number_of(rates_pb2.RateStatus)
verdict = number_of(suppliers_pb2.Verdict)
parcel_status = number_of(parcels_pb2.ParcelStatus)
_customs_ask = number_of(parcels_pb2.CustomsAsk)
_incoterm = number_of(shipping_pb2.Incoterm)
_border = number_of(shipping_pb2.Border)


def stamp(at: datetime | None) -> Timestamp | None:
    if at is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(at)
    return timestamp


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
    )


def day(at: date | None) -> str:
    return at.isoformat() if at is not None else ""


def money(money: Money | None) -> common_pb2.Money | None:
    if money is None:
        return None
    return common_pb2.Money(amount_minor=in_64_bits(money.amount_minor), currency=money.currency)


# --- orders ---------------------------------------------------------------------------------------


def order(
    state: Order,
    version: int,
    personal: Mapping[str, Any] | None,
    note: str = "",
    hold_notes: Mapping[str, str] = {},
) -> orders_pb2.Order:
    """The order; personal, its note and those of its holds, by their keys, are what was unsealed if asked for."""
    return orders_pb2.Order(
        order_id=state.order_id,
        status=_order_status(state.header),
        placed_at=stamp(state.placed.placed_at),
        currency=state.currency,
        lines=[_line_state(state, line) for line in state.lines.values()],
        payment=_payment(state.payment),
        priority=_priority(state.placed.priority),
        holds=[hold(each, hold_notes.get(each.note.key_id, "") if each.note else "") for each in state.holds],
        confirmed_at=stamp(state.confirmed_at),
        promised_by=stamp(state.promised_by),
        promised_day=day(state.promised_day),
        delivered_at=stamp(state.delivered_at),
        supplier_orders=[_supplier_order(state, each) for each in state.supplier_orders.values()],
        shipments=[_shipment(shipment) for shipment in state.shipments],
        delivery_missed=(state.order_id, Clock.DELIVERY) in state.missed,
        ship_to=_address(state.destination, personal or {}),
        customer=_customer(personal) if personal else None,
        version=version,
        incoterm=incoterm(state.incoterm),
        no_promise_reason=state.no_promise_because,
        open_cases=state.after_sales.open_cases,
        reship_of=state.placed.reship_of,
        original_order_id=state.placed.original_order_id,
        note=note,
        gift=state.placed.gift,
    )


def _line_state(state: Order, line: Line) -> orders_pb2.OrderLineState:
    buckets = state.buckets[line.line_no]
    counts = {name: getattr(buckets, name) for name in buckets.__struct_fields__}
    return orders_pb2.OrderLineState(
        line=orders_pb2.OrderLine(
            line_no=line.line_no,
            sku=line.sku,
            title=line.title,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
            supplier_id=line.supplier_id,
            dispatch_by=stamp(line.dispatch_by),
            hs_code=line.hs_code,
            origin=line.origin,
            weight_grams=line.weight_grams,
            declared_value_minor=line.declared_value_minor,
        ),
        units=orders_pb2.Buckets(**counts),
        untracked=line.line_no in state.untracked,
        choice=choice(state.chosen[line.line_no]) if line.line_no in state.chosen else None,
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


def _supplier_order(state: Order, each: SupplierOrder) -> orders_pb2.SupplierOrder:
    shares = [
        orders_pb2.Share(line_no=line_no, **{name: getattr(share, name) for name in share.__struct_fields__})
        for line_no, share in each.shares.items()
    ]
    return orders_pb2.SupplierOrder(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        status=_supplier_order_status(each.stage),
        shares=shares,
        sent_at=stamp(each.sent_at),
        acknowledge_by=stamp(each.acknowledge_by),
        acknowledged_at=stamp(each.acknowledged_at),
        dispatch_by=stamp(each.dispatch_by),
        dispatched_at=stamp(each.dispatched_at),
        clocks_stopped_since=stamp(each.stopped_since),
        packed_with=each.packed_with,
        missed_clocks=sorted(clock for object_id, clock in state.missed if object_id == each.supplier_order_id),
        compensation=_compensation(each.compensation),
        delay_rulings=[
            _ruling(ruling) for (object_id, _), ruling in state.rulings.items() if object_id == each.supplier_order_id
        ],
        unit_costs=[
            orders_pb2.UnitCost(line_no=line_no, cost=money(cost)) for line_no, cost in each.unit_costs.items()
        ],
        packing=each.packing,
        packing_lacks=each.packing_lacks,
        packing_oddities=map(_oddity, each.packing_oddities),
        instead_of=each.instead_of,
        reroute_reason=each.because,
        choices=[choice(made) for made in each.choices],
        reroute_asked=line_units(each.reroute_asked),
        shipping=_chosen(each.shipping),
    )


def incoterm(value: Incoterm | None) -> Any:
    return _incoterm(value) if value is not None else shipping_pb2.INCOTERM_UNSPECIFIED


def _chosen(shipping: Chosen | None) -> shipping_pb2.ChosenService | None:
    if shipping is None:
        return None
    return shipping_pb2.ChosenService(
        code=shipping.code,
        reason=shipping.because,
        carriers=shipping.carriers,
        days_from=shipping.days_from,
        days_to=shipping.days_to,
        cost=money(shipping.cost),
    )


def _compensation(accrued: CompensationAccrued | None) -> orders_pb2.Compensation | None:
    if accrued is None:
        return None
    return orders_pb2.Compensation(
        amount=money(accrued.amount),
        net_amount=money(Money(accrued.net_amount_minor, accrued.amount.currency)),
        basis_points=accrued.terms.basis_points,
        cap=money(accrued.terms.cap),
        agreement_effective_from=stamp(accrued.terms.effective_from),
        accrued_at=stamp(accrued.at),
    )


def _ruling(ruling: DelayRuled) -> orders_pb2.DelayRuling:
    return orders_pb2.DelayRuling(
        clock=_clock(ruling.clock),
        party=party(ruling.party),
        reason=ruling.because,
        by=ruling.by,
        at=stamp(ruling.at),
    )


def _shipment(shipment: Shipment) -> orders_pb2.Shipment:
    return orders_pb2.Shipment(
        supplier_order_id=shipment.supplier_order_id,
        carrier=shipment.carrier,
        tracking_number=shipment.number,
        epoch=shipment.epoch,
        lines=line_units(shipment.by_line),
        shipped_at=stamp(shipment.shipped_at),
        delivered_at=stamp(shipment.delivered_at),
        lost=shipment.bucket == "lost",
        oddities=map(_oddity, shipment.oddities),
    )


def _address(destination: Destination, personal: Mapping[str, Any]) -> orders_pb2.Address:
    return orders_pb2.Address(
        lines=personal.get("lines", ()),
        city=personal.get("city", ""),
        region=destination.region,
        postal_code=personal.get("postal_code", destination.postal_prefix),
        country=destination.country or personal.get("country", ""),
    )


def _customer(personal: Mapping[str, Any]) -> orders_pb2.Customer:
    return orders_pb2.Customer(
        name=personal.get("name", ""), email=personal.get("email", ""), phone=personal.get("phone", "")
    )


def customs_state(each: customs.Standing) -> shipping_pb2.CustomsState:
    return shipping_pb2.CustomsState(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        from_country=each.from_country,
        to_country=each.to_country,
        border=_border(each.border),
        missing=each.missing,
    )


def shipping_service(service: ShippingService) -> shipping_pb2.ShippingService:
    return shipping_pb2.ShippingService(
        code=service.code,
        carriers=service.carriers,
        international=service.international,
        days_from=service.days_from,
        days_to=service.days_to,
        cost=money(service.cost),
        cost_per_kg_minor=service.cost_per_kg_minor,
        tracked=service.tracked,
        most_weight_grams=service.most_weight_grams,
        most_value=[common_pb2.Money(amount_minor=m.amount_minor, currency=m.currency) for m in service.most_value],
        origins=service.origins,
        destinations=service.destinations,
    )


# --- parcels, suppliers, stock ----------------------------------------------------------------------


Said = Mapping[str, Mapping[str, Any]]
"""What was unsealed, by the id of its key."""


def _checkpoints(state: Parcel, said: Said) -> Iterator[parcels_pb2.Checkpoint]:
    """All scans of the number by their own time, with what was unsealed of their texts."""
    scans = [*((scan, True) for scan in state.earlier), *((scan, False) for scan in state.checkpoints)]
    for scan, earlier in sorted(scans, key=lambda each: each[0].at):
        yield _checkpoint(scan, earlier, _of(said, scan.message, "message"))


def _checkpoint(scan: Checkpoint, earlier: bool, message: str) -> parcels_pb2.Checkpoint:
    return parcels_pb2.Checkpoint(
        at=stamp(scan.at),
        status=parcel_status(scan.status),
        code=scan.code,
        city=scan.city,
        country=scan.country,
        customs_asks=_asks(scan.customs_asks),
        customs_answer_by=stamp(scan.customs_answer_by),
        message=message,
        of_earlier_use=earlier,
        reached_customer=scan.reached_customer,
    )


def _proof(proof: DeliveryProven, said: Said) -> parcels_pb2.DeliveryProof:
    return parcels_pb2.DeliveryProof(
        at=stamp(proof.at), signed_by=_of(said, proof.signed_by, "signed_by"), photo_sha256=proof.photo_sha256
    )


def _of(said: Said, sealed: Sealed | None, name: str) -> str:
    """A part of what was sealed; empty if it was not asked for, or erased."""
    return str(said.get(sealed.key_id, {}).get(name, "")) if sealed is not None else ""


def _asks(asks: CustomsAsk | None) -> Any:
    return _customs_ask(asks) if asks is not None else parcels_pb2.CUSTOMS_ASK_UNSPECIFIED


def customs_hold(held: CustomsHold) -> parcels_pb2.CustomsHold:
    return parcels_pb2.CustomsHold(
        since=stamp(held.since),
        asks=_asks(held.asks),
        answer_by=stamp(held.answer_by),
    )


def parcel(state: Parcel, version: int, said: Said) -> parcels_pb2.Parcel:
    """The parcel; said is what was unsealed of it, by the id of its key."""
    return parcels_pb2.Parcel(
        carrier=state.carrier,
        tracking_number=state.number,
        epoch=state.epoch,
        status=parcel_status(state.status),
        order_id=state.order_id,
        supplier_order_id=state.supplier_order_id,
        lines=line_units(state.by_line),
        registered_at=stamp(state.registered_at),
        first_scan_at=stamp(state.first_scan_at),
        delivered_at=stamp(state.delivered_at),
        first_scan_by=stamp(state.first_scan_by),
        checkpoints=_checkpoints(state, said),
        proven=bool(state.proofs),
        version=version,
        warnings=state.warnings,
        lost_at=stamp(state.lost_at),
        found_at=stamp(state.found_at),
        customs_hold=customs_hold(state.customs_hold) if state.customs_hold is not None else None,
        proofs=[_proof(each, said) for each in state.proofs],
    )


def supplier(state: Supplier, version: int, contact: str = "", return_address: str = "") -> suppliers_pb2.Supplier:
    """The supplier; contact and return_address are what was unsealed, if that was asked for."""
    return suppliers_pb2.Supplier(
        supplier_id=state.supplier_id,
        name=state.registered.name,
        country=state.registered.country,
        standing=standing(state.standing),
        sample_passed=state.sample_passed,
        agreements=[_agreement(agreement) for agreement in state.agreements],
        offers=[_offer(state.offers[sku]) for sku in sorted(state.offers)],
        packing=state.registered.packing,
        version=version,
        score_basis_points=state.score_basis_points,
        last_review=_review(state.reviews.last) if state.reviews.last else None,
        proposals=[proposal(state.supplier_id, each) for each in state.reviews.proposals.values()],
        return_freight_paid_by_supplier=state.registered.return_freight_paid_by_supplier,
        contact=contact,
        return_address=return_address,
    )


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


def _review(reviewed: SupplierReviewed) -> suppliers_pb2.SupplierReview:
    return suppliers_pb2.SupplierReview(
        since=stamp(reviewed.since),
        until=stamp(reviewed.until),
        position=reviewed.position,
        rates=[rate(each) for each in reviewed.rates],
        score_basis_points=reviewed.score_basis_points,
        verdict=verdict(reviewed.verdict),
        at=stamp(reviewed.at),
    )


def _agreement(agreement: Agreement) -> suppliers_pb2.Agreement:
    return suppliers_pb2.Agreement(
        effective_from=stamp(agreement.effective_from),
        effective_until=stamp(agreement.effective_until),
        acknowledge_within_hours=agreement.acknowledge_within_hours,
        dispatch_within_hours=agreement.dispatch_within_hours,
        express_dispatch_within_hours=agreement.express_dispatch_within_hours,
        first_scan_within_hours=agreement.first_scan_within_hours,
        answer_within_hours=agreement.answer_within_hours,
        compensation_basis_points=agreement.compensation_basis_points,
        compensation_cap=money(agreement.compensation_cap),
        feed_interval_hours=agreement.feed_interval_hours,
        acknowledgement_target_basis_points=agreement.acknowledgement_target_basis_points,
        response_target_basis_points=agreement.response_target_basis_points,
        peaks=[
            suppliers_pb2.PeakPeriod(since=stamp(peak.since), until=stamp(peak.until), extra_hours=peak.extra_hours)
            for peak in agreement.peaks
        ],
    )


def _offer(offer: Offer) -> suppliers_pb2.Offer:
    return suppliers_pb2.Offer(
        sku=offer.sku,
        cost=money(offer.cost),
        minimum_quantity=offer.minimum_quantity,
        lead_time_days=offer.lead_time_days,
        backups=offer.backups,
    )


def stock_level(item: Item, state: Stock | None) -> stock_pb2.StockLevel:
    own, feed = state or Stock(), state.feed if state else None
    return stock_pb2.StockLevel(
        item=stock_pb2.Item(supplier_id=item[0], sku=item[1]),
        tracked=own.tracked,
        quantity=feed.quantity if feed else 0,
        feed_version=feed.version if feed else 0,
        as_of=stamp(feed.as_of) if feed else None,
        held=own.held,
        committed=own.committed,
        buffer=own.buffer,
        available=own.available,
        restocked=own.restocked,
        stale_buffer=own.stale_buffer,
        awaited=own.awaited,
        kept=own.kept,
        stale_since=stamp(own.stale.at) if own.stale else None,
        stale_at=stamp(own.stale_at),
        shortfall=own.shortfall,
    )


# --- recoveries -------------------------------------------------------------------------------------


def recovery(state: Recovery, version: int) -> recoveries_pb2.Recovery:
    opened, subject = state.opened, state.subject
    missed = state.answer_missed
    return recoveries_pb2.Recovery(
        recovery_id=state.recovery_id,
        kind=recovery_kind(state.kind),
        status=recovery_status(state.status),
        party=party(state.kind.party),
        order_id=subject.order_id,
        supplier_order_id=subject.supplier_order_id,
        supplier_id=subject.supplier_id,
        case_id=subject.case_id,
        carrier=subject.carrier,
        tracking_number=subject.number,
        epoch=subject.epoch,
        currency=state.currency,
        costs=[
            recoveries_pb2.RecoveryCost(
                cost_id=cost.cost_id, kind=_cost_kind(cost.kind), amount_minor=in_64_bits(cost.amount_minor)
            )
            for cost in state.costs
        ],
        asked_minor=state.asked_minor,
        claimed_minor=state.claimed_minor,
        agreed_minor=state.agreed_minor,
        received_minor=state.received_minor,
        returned_minor=state.returned_minor,
        liability_minor=opened.liability_minor,
        received=[_part(each) for each in state.received],
        returned=[_part(each) for each in state.returned],
        documents=[
            recoveries_pb2.ClaimDocument(kind=document_kind(each.kind), sha256=each.sha256) for each in state.documents
        ],
        missing_documents=[document_kind(kind) for kind in state.missing_documents],
        carrier_reference=state.reference,
        reason=state.because,
        opened_at=stamp(opened.at),
        answer_by=stamp(state.answer_by),
        answer_missed_at=stamp(missed.at if missed and state.is_answer_missed else None),
        eligible_at=stamp(opened.eligible_at),
        file_by=stamp(opened.file_by),
        filed_at=stamp(state.filed_at),
        found_at=stamp(state.found_at),
        ended_at=stamp(state.ended_at),
        version=version,
    )


def _part(payment: Payment) -> recoveries_pb2.RecoveryPayment:
    return recoveries_pb2.RecoveryPayment(
        reference=payment.reference,
        amount_minor=payment.amount_minor,
        method=_method(payment.method),
        at=stamp(payment.at),
    )


# --- inquiries --------------------------------------------------------------------------------------


def inquiry(state: Inquiry, version: int, said: Mapping[str, str]) -> inquiries_pb2.Inquiry:
    """The inquiry; said is what was unsealed of it, by the id of the key, if that was asked for."""
    asked = state.asked
    answered = inquiries_pb2.INQUIRY_STATE_ANSWERED if state.answers else inquiries_pb2.INQUIRY_STATE_OPEN
    return inquiries_pb2.Inquiry(
        inquiry_id=asked.inquiry_id,
        state=inquiries_pb2.INQUIRY_STATE_CLOSED if state.closed else answered,
        asked_by=party(asked.asked_by),
        asked_of=party(asked.asked_of),
        supplier_id=asked.supplier_id,
        order_id=asked.order_id,
        supplier_order_id=asked.supplier_order_id,
        topic=_topic(asked.topic),
        asked_at=stamp(asked.at),
        answer_by=stamp(asked.answer_by),
        answered_at=stamp(state.answered_at),
        closed_at=stamp(state.closed.at if state.closed else None),
        answer_missed=state.is_missed,
        text=_said(asked.text, said),
        answers=[
            inquiries_pb2.InquiryAnswer(at=stamp(each.at), by=each.by, text=_said(each.text, said))
            for each in state.answers
        ],
        version=version,
    )


def _said(text: Sealed | None, said: Mapping[str, str]) -> str:
    return said.get(text.key_id, "") if text is not None else ""
