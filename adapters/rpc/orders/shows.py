"""An order into its message, and what customs want to know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from adapters.rpc.orders.money import collected
from adapters.rpc.orders.money import shown as shown_money
from adapters.rpc.shows import carrier_number, choice, day, hold, line_units, money, number_of, party, stamp
from fulfilment.v1 import orders_pb2 as pb
from fulfilment.v1 import people_pb2, remarks_pb2, shipping_pb2, supplier_orders_pb2, suppliers_pb2
from ledger.decisions import customs
from ledger.facts import LineNo, plus
from ledger.nouns import orders
from ledger.nouns.orders import DelayRuled, Line, NoteAdded, Order, PartOf, Shipment, wanted_minor, wanted_units
from ledger.nouns.orders.supplier_orders import CompensationAccrued, LineShare, ShipTo, SupplierOrder
from ledger.nouns.parcels import Parcel
from ledger.terms.clocks import Clock
from ledger.terms.money import Money, in_64_bits
from ledger.terms.places import Destination
from ledger.terms.shipping import Chosen, Incoterm

_order_status = number_of(pb.OrderStatus)
supplier_order_status = number_of(supplier_orders_pb2.SupplierOrderStatus)
_payment = number_of(pb.PaymentState)
priority_of = number_of(pb.Priority)
_oddity = number_of(supplier_orders_pb2.Oddity)
_clock = number_of(supplier_orders_pb2.SupplierOrderClock)
_incoterm = number_of(shipping_pb2.Incoterm)
_border = number_of(shipping_pb2.Border)
_personal_kind = number_of(people_pb2.PersonalKind)


def order(
    state: Order,
    version: int,
    personal: Mapping[str, Any] | None,
    note: str = "",
    said: Mapping[str, Mapping[str, Any]] = {},
    parcels: Parcels | None = None,
) -> pb.Order:
    """The order; personal, its note, and by key what else was unsealed of holds, notes and addresses, if asked for."""
    return pb.Order(
        order_id=state.order_id,
        status=_order_status(state.header),
        placed_at=stamp(state.placed.placed_at),
        currency=state.currency,
        lines=_line_states(state),
        payment=_payment(state.payment),
        priority=priority_of(state.placed.priority),
        holds=[hold(each, said.get(each.note.key_id, {}).get("note", "") if each.note else "") for each in state.holds],
        confirmed_at=stamp(state.confirmed_at),
        promised_by=stamp(state.promised_by),
        promised_day=day(state.promised_day),
        delivered_at=stamp(state.delivered_at),
        supplier_orders=[_supplier_order(state, each) for each in state.supplier_orders.values()],
        shipments=shipments(state, parcels or {}),
        expected_by=stamp(orders.expected_by(state, _estimates(state, parcels or {}))),
        delivery_missed=state.is_missed(state.order_id, Clock.DELIVERY),
        ship_to=address(state.destination, personal or {}),
        customer=_customer(personal) if personal else None,
        version=version,
        incoterm=incoterm(state.incoterm),
        no_promise_reason=state.no_promise_because,
        open_cases=state.after_sales.open_cases,
        reship_of=state.placed.reship_of,
        original_order_id=state.placed.original_order_id,
        note=note,
        gift=state.placed.gift,
        language=state.placed.language,
        erased_at=stamp(state.erased_at),
        expired=[people_pb2.ExpiredData(kind=_personal_kind(kind), at=stamp(at)) for kind, at in state.expired.items()],
        kept_addresses=_kept(state, said),
        tags=state.remarks.tags,
        notes=[_note(each, said) for each in state.remarks.notes],
        **shown_money(state),
    )


Parcels = Mapping[tuple[str, str, int], Parcel]
"""The parcels of an order by carrier, number and epoch."""


def _estimates(state: Order, parcels: Parcels) -> Iterator[datetime | None]:
    """When carriers expect to deliver the parcels that a customer waits for."""
    for each in state.parcels:
        parcel = parcels.get(each.parcel)
        if each.bucket == "shipped" and (parcel is None or parcel.is_awaited):
            yield parcel.estimated_by if parcel is not None else None


def kept(state: Order) -> Iterator[tuple[str, Shipment | None, ShipTo]]:
    """The parts that keep an address of before: supplier orders, and parcels where the rest of one changed."""
    for each in state.supplier_orders.values():
        if each.ship_to is not None:
            yield each.supplier_order_id, None, each.ship_to
    for parcel in state.shipments:
        if parcel.ship_to is not None and state.supplier_orders[parcel.supplier_order_id].ship_to is None:
            yield parcel.supplier_order_id, parcel, parcel.ship_to


def _kept(state: Order, said: Mapping[str, Mapping[str, Any]]) -> Iterator[pb.KeptAddress]:
    for supplier_order_id, parcel, ship_to in kept(state) if state.addresses else ():
        person = said.get(ship_to.customer.key_id) if ship_to.customer else None
        yield pb.KeptAddress(
            supplier_order_id=supplier_order_id,
            carrier=parcel.carrier if parcel else "",
            tracking_number=parcel.number if parcel else "",
            ship_to=address(ship_to.destination, person or {}),
            customer=_customer(person) if person else None,
        )


def _note(each: NoteAdded, said: Mapping[str, Mapping[str, Any]]) -> remarks_pb2.OrderNote:
    return remarks_pb2.OrderNote(at=stamp(each.at), by=each.by, note=said.get(each.note.key_id, {}).get("note", ""))


def _line_states(state: Order) -> list[pb.OrderLineState]:
    wanted = wanted_units(state)
    return [_line_state(state, line, wanted[line.line_no]) for line in state.lines.values()]


def _line_state(state: Order, line: Line, wanted: int) -> pb.OrderLineState:
    buckets = state.buckets[line.line_no]
    counts = {name: getattr(buckets, name) for name in buckets.__struct_fields__}
    return pb.OrderLineState(
        line=pb.OrderLine(
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
            total_minor=line.total_minor,
            substitute_for=line.substitute_for,
            given_up=line.given_up,
            channel_line_id=line.channel_line_id,
        ),
        units=pb.Buckets(**counts),
        untracked=line.line_no in state.untracked,
        choice=choice(state.chosen[line.line_no]) if line.line_no in state.chosen else None,
        part_of=_part_of(line.part_of) if line.part_of is not None else None,
        wanted=wanted,
        wanted_minor=in_64_bits(wanted_minor(state, line.line_no, wanted)),
    )


def _part_of(part_of: PartOf) -> suppliers_pb2.PartOf:
    return suppliers_pb2.PartOf(line_no=part_of.line_no, sku=part_of.sku, units=part_of.units)


def _supplier_order(state: Order, each: SupplierOrder) -> supplier_orders_pb2.SupplierOrder:
    return supplier_orders_pb2.SupplierOrder(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        status=supplier_order_status(each.stage),
        shares=[share(line_no, of_line) for line_no, of_line in each.shares.items()],
        sent_at=stamp(each.sent_at),
        acknowledge_by=stamp(each.acknowledge_by),
        acknowledged_at=stamp(each.acknowledged_at),
        dispatch_by=stamp(each.dispatch_by),
        dispatched_at=stamp(each.dispatched_at),
        clocks_stopped_since=stamp(each.stopped_since),
        packed_with=each.packed_with,
        missed_clocks=_missed_clocks(state, each),
        cancel_answer_by=stamp(cancel_answer_by(each)),
        compensation=_compensation(each.compensation),
        delay_rulings=[
            _ruling(ruling) for (object_id, _), ruling in state.rulings.items() if object_id == each.supplier_order_id
        ],
        unit_costs=[
            supplier_orders_pb2.UnitCost(
                line_no=line_no, cost=money(cost), packing=money(each.packing_costs.get(line_no))
            )
            for line_no, cost in each.unit_costs.items()
        ],
        article_codes=[
            supplier_orders_pb2.ArticleCode(line_no=line_no, code=code) for line_no, code in each.article_codes.items()
        ],
        warehouse=each.warehouse,
        packing=each.instructed_packing,
        packing_lacks=each.packing_lacks,
        packing_oddities=map(_oddity, each.packing_oddities),
        instead_of=each.instead_of,
        reroute_reason=each.because,
        choices=[choice(made) for made in each.choices],
        reroute_asked=line_units(each.reroute_asked),
        shipping=_chosen(each.shipping),
        to_collect=collected(orders.to_collect_minor(state, each.supplier_order_id), state)
        if state.money.on_delivery
        else None,
        time_zone=each.time_zone,
        send_by=stamp(each.send_by),
        asked_again_at=stamp(each.asked_again.at) if each.asked_again else None,
        acknowledged_again_at=stamp(each.asked_again.acknowledged_at) if each.asked_again else None,
    )


def share(line_no: LineNo, of_line: LineShare) -> supplier_orders_pb2.Share:
    counts = {name: getattr(of_line, name) for name in of_line.__struct_fields__}
    return supplier_orders_pb2.Share(line_no=line_no, **counts)


def cancel_answer_by(each: SupplierOrder) -> datetime | None:
    """When the first of its requests to cancel that stand open must be answered."""
    return min((ask.answer_by for ask in each.asks if ask.ended_at is None), default=None)


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


def _missed_clocks(state: Order, each: SupplierOrder) -> list[str]:
    if not state.breaches:
        return []
    later_asks = [f"{each.supplier_order_id}#{number}" for number in range(2, len(each.asks) + 1)]
    of = (each.supplier_order_id, *later_asks)
    return sorted({clock for object_id in of for clock in Clock if state.is_missed(object_id, clock)})


def _compensation(accrued: CompensationAccrued | None) -> supplier_orders_pb2.Compensation | None:
    if accrued is None:
        return None
    return supplier_orders_pb2.Compensation(
        amount=money(accrued.amount),
        net_amount=money(Money(accrued.net_amount_minor, accrued.amount.currency)),
        basis_points=accrued.terms.basis_points,
        cap=money(accrued.terms.cap),
        agreement_effective_from=stamp(accrued.terms.effective_from),
        accrued_at=stamp(accrued.at),
    )


def _ruling(ruling: DelayRuled) -> supplier_orders_pb2.DelayRuling:
    return supplier_orders_pb2.DelayRuling(
        clock=_clock(ruling.clock),
        party=party(ruling.party),
        reason=ruling.because,
        by=ruling.by,
        at=stamp(ruling.at),
    )


def shipments(state: Order, parcels: Parcels) -> list[supplier_orders_pb2.Shipment]:
    """One for each supplier order in each parcel, which may have been told line by line."""
    whole: dict[tuple[str, str, str, int], Shipment] = {}
    for each in state.shipments:
        which = (each.supplier_order_id, each.carrier, each.number, each.epoch)
        whole[which] = _with(whole[which], each) if which in whole else each
    return [_shipment(state, each, parcels.get(each.parcel)) for each in whole.values()]


def _with(shipment: Shipment, more: Shipment) -> Shipment:
    return replace(
        shipment,
        by_line=plus(shipment.by_line, more.by_line),
        shipped_at=max(shipment.shipped_at, more.shipped_at),
        oddities=tuple(dict.fromkeys((*shipment.oddities, *more.oddities))),
        collect_minor=shipment.collect_minor + more.collect_minor,
        over=plus(shipment.over, more.over),
        unordered=plus(shipment.unordered, more.unordered),
    )


def _shipment(state: Order, shipment: Shipment, parcel: Parcel | None) -> supplier_orders_pb2.Shipment:
    awaited = shipment.bucket == "shipped" and parcel is not None and parcel.is_awaited
    return supplier_orders_pb2.Shipment(
        supplier_order_id=shipment.supplier_order_id,
        carrier=shipment.carrier,
        tracking_number=shipment.number,
        epoch=shipment.epoch,
        lines=line_units(shipment.by_line),
        shipped_at=stamp(shipment.shipped_at),
        delivered_at=stamp(shipment.delivered_at),
        lost=shipment.bucket == "lost",
        oddities=map(_oddity, shipment.oddities),
        to_collect=collected(shipment.collect_minor, state),
        returned=shipment.bucket == "returned",
        over=line_units(shipment.over),
        unordered=[supplier_orders_pb2.SkuUnits(sku=sku, units=count) for sku, count in shipment.unordered.items()],
        in_parcel_of=shipment.in_parcel_of,
        last_miles=map(carrier_number, parcel.last_miles) if parcel is not None else (),
        expected_by=stamp(parcel.estimated_by or state.promised_by) if parcel is not None and awaited else None,
    )


def address(destination: Destination, personal: Mapping[str, Any]) -> pb.Address:
    return pb.Address(
        lines=personal.get("lines", ()),
        city=personal.get("city", ""),
        region=destination.region,
        postal_code=personal.get("postal_code", destination.postal_prefix),
        country=destination.country or personal.get("country", ""),
    )


def _customer(personal: Mapping[str, Any]) -> pb.Customer:
    return pb.Customer(name=personal.get("name", ""), email=personal.get("email", ""), phone=personal.get("phone", ""))


def customs_state(each: customs.CustomsStatus) -> shipping_pb2.CustomsState:
    return shipping_pb2.CustomsState(
        supplier_order_id=each.supplier_order_id,
        supplier_id=each.supplier_id,
        from_country=each.from_country,
        to_country=each.to_country,
        border=_border(each.border),
        missing=each.missing,
        from_territory=each.from_territory,
        to_territory=each.to_territory,
    )
