"""What a document of an own site means: an order placed or changed, money, a cancellation, a refund."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from unicodedata import normalize

from google.protobuf.message import Message

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.differences import ENDED, NOTHING_LEFT, OrderDifference
from adapters.shops.site.checking import of_inbox
from adapters.shops.site.documents import (
    CancellationTold,
    OrderTold,
    PaymentsTold,
    RefundTold,
    SiteCharge,
    SiteLine,
    SiteOrder,
    SitePayment,
    Told,
)
from fulfilment.v1 import common_pb2, customer_invoices_pb2, order_money_pb2, orders_pb2, shipping_pb2
from ledger.terms.order_numbers import order_number

_BY = {"customer": common_pb2.PARTY_CUSTOMER, "retailer": common_pb2.PARTY_RETAILER}


def meant(told: Told, channel: str, known: KnownNow) -> Understood:
    """The commands that a document asks for."""
    order_id = f"{channel}/{order_number(told.data.order_id.strip())}"
    there = known.order(order_id)
    if isinstance(told, OrderTold):
        if there is None:
            return Understood(tuple(_first(told, channel, order_id)))
        return _change(told, _before(known), channel, there)
    if there is None:
        return Understood(early=f"the order {order_id}")
    if isinstance(told, CancellationTold):
        return _cancellation(told, there)
    return _money(told, there)


def _before(known: KnownNow) -> SiteOrder | None:
    """The order as it was told last; None where that is not kept, or is written in a way of before."""
    raw = known.before()
    try:
        last = of_inbox(raw) if raw else None
    except NotUnderstood:
        return None
    return last.data if isinstance(last, OrderTold) else None


def _wanted(told: Told, aspect: str, request: Message, *fine: str) -> WantedCommand:
    version = told.timestamp.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return WantedCommand(request, f"{told.data.order_id.strip()}{aspect}", version, frozenset(fine))


# --- placing --------------------------------------------------------------------------------------


def _first(told: OrderTold, channel: str, order_id: str) -> Iterator[WantedCommand]:
    order = told.data
    yield _wanted(told, "", placed(order, channel, told.timestamp))
    # A bank took back what was paid before the order was told of: it can only be told after it.
    if taken := [_payment(each, order.currency) for each in order.payments if each.kind == "charged_back"]:
        yield _wanted(told, "/payment", _recorded(order_id, taken, told.timestamp))


def placed(order: SiteOrder, channel: str, told_at: datetime) -> orders_pb2.PlaceOrderRequest:
    """The order as it would be placed, as it is now."""
    customer, place = order.customer, order.ship_to
    request = orders_pb2.PlaceOrderRequest(
        channel=channel,
        channel_order_id=order.order_id.strip(),
        placed_at=reading.stamp(order.placed_at or told_at),
        currency=order.currency,
        lines=[_line(each, number) for number, each in enumerate(order.lines, 1)],
        customer=orders_pb2.Customer(name=customer.name, email=customer.email, phone=customer.phone),
        ship_to=orders_pb2.Address(
            lines=place.lines,
            city=place.city,
            region=place.region,
            postal_code=place.postal_code,
            country=place.country or "",
        ),
        priority=orders_pb2.Priority.Value(f"PRIORITY_{order.priority.upper()}"),
        packing=order.packing,
        gift=order.gift,
        note=order.note,
        tags=[each.lower() for each in order.tags],
        charges=[_charge(each) for each in order.charges],
        payments=[_payment(each, order.currency) for each in order.payments if each.kind != "charged_back"],
        cash_on_delivery=order.cash_on_delivery,
        language=order.language,
        promised_day=order.promised_day or "",
        reservation_id=order.reservation_id or "",
    )
    _add_options(request, order)
    return request


def _add_options(request: orders_pb2.PlaceOrderRequest, order: SiteOrder) -> None:
    if order.promised_by is not None:
        request.promised_by.CopyFrom(reading.stamp(order.promised_by))
    if order.payment is not None:
        request.payment = orders_pb2.PaymentState.Value(f"PAYMENT_STATE_{order.payment.upper()}")
    if order.incoterm is not None:
        request.incoterm = shipping_pb2.Incoterm.Value(f"INCOTERM_{order.incoterm.upper()}")
    if (invoice := order.invoice) is not None:
        buyer = customer_invoices_pb2.InvoiceBuyer(name=invoice.name, tax_id=invoice.tax_id, address=invoice.address)
        request.invoice.CopyFrom(
            customer_invoices_pb2.InvoiceWish(buyer=buyer, included_tax_basis_points=invoice.included_tax_basis_points)
        )


def _line(line: SiteLine, number: int) -> orders_pb2.OrderLine:
    answer = orders_pb2.OrderLine(
        line_no=number,
        sku=normalize("NFC", line.sku.strip()),
        title=line.title,
        quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        supplier_id=line.supplier_id or "",
        hs_code=line.hs_code,
        origin=line.origin or "",
        weight_grams=line.weight_grams,
        declared_value_minor=line.declared_value_minor,
        channel_line_id=line_id(line),
    )
    if line.total_minor is not None:
        answer.total_minor = line.total_minor
    if line.dispatch_by is not None:
        answer.dispatch_by.CopyFrom(reading.stamp(line.dispatch_by))
    return answer


def line_id(line: SiteLine) -> str:
    """The site's own id of a line, which is its SKU where it says none."""
    return (line.line_id or line.sku).strip()


def _charge(charge: SiteCharge) -> order_money_pb2.Charge:
    kind = order_money_pb2.ChargeKind.Value(f"CHARGE_KIND_{charge.kind.upper()}")
    return order_money_pb2.Charge(
        charge_id=charge.charge_id, kind=kind, amount_minor=charge.amount_minor, title=charge.title
    )


def _payment(payment: SitePayment, currency: str) -> order_money_pb2.Payment:
    answer = order_money_pb2.Payment(
        payment_id=payment.payment_id,
        kind=order_money_pb2.PaymentKind.Value(f"PAYMENT_KIND_{payment.kind.upper()}"),
        amount=common_pb2.Money(amount_minor=payment.amount_minor, currency=currency),
        method=payment.method,
        of=payment.of or "",
    )
    if payment.at is not None:
        answer.at.CopyFrom(reading.stamp(payment.at))
    return answer


# --- changing -------------------------------------------------------------------------------------


def _change(told: OrderTold, before: SiteOrder | None, channel: str, there: orders_pb2.Order) -> Understood:
    order = told.data
    if there.currency and there.currency != order.currency:
        raise NotUnderstood("/data/currency: another one than the order was placed in")
    now = placed(order, channel, told.timestamp)
    now.payments.extend(_payment(each, order.currency) for each in order.payments if each.kind == "charged_back")
    last = placed(before, channel, told.timestamp) if before is not None else None
    changes = OrderDifference(there, now, last, told.timestamp).commands()
    wanted = tuple(_wanted(told, aspect, request) for aspect, request in changes)
    return Understood(wanted) if wanted else Understood(ignored="nothing that the ledger can change has changed")


def _cancellation(told: CancellationTold, there: orders_pb2.Order) -> Understood:
    cancellation = told.data
    if there.status in ENDED:
        return Understood(ignored="the order is over")
    request = orders_pb2.CancelOrderRequest(
        order_id=there.order_id,
        lines=_units(told, there),
        by=_BY[cancellation.by],
        reason=cancellation.reason,
        at=reading.stamp(told.timestamp),
    )
    return Understood((_wanted(told, "/cancellation", request, *NOTHING_LEFT),))


def _units(told: CancellationTold, there: orders_pb2.Order) -> Iterator[common_pb2.LineUnits]:
    numbers = {}
    for state in there.lines:
        part = state.part_of if state.HasField("part_of") else None
        line_no, sku = (part.line_no, part.sku) if part is not None else (state.line.line_no, state.line.sku)
        numbers[state.line.channel_line_id or sku] = line_no
    for index, each in enumerate(told.data.lines):
        if (named := each.line_id.strip()) not in numbers:
            raise NotUnderstood(f"/data/lines/{index}/line_id: the order has no such line")
        yield common_pb2.LineUnits(line_no=numbers[named], units=each.units)


def _money(told: PaymentsTold | RefundTold, there: orders_pb2.Order) -> Understood:
    if isinstance(told, RefundTold):
        refund = told.data
        paid = [
            SitePayment(
                payment_id=refund.refund_id,
                kind="refunded",
                amount_minor=refund.amount_minor,
                method=refund.method,
            )
        ]
    else:
        paid = told.data.payments
    known = {(each.kind, each.payment_id) for each in there.payments}
    moved = [_payment(each, there.currency) for each in paid]
    moved = [each for each in moved if (each.kind, each.payment_id) not in known]
    if not moved:
        return Understood(ignored="these payments are known")
    return Understood((_wanted(told, "/payment", _recorded(there.order_id, moved, told.timestamp)),))


def _recorded(order_id: str, moved: list[order_money_pb2.Payment], at: datetime) -> orders_pb2.RecordPaymentRequest:
    return orders_pb2.RecordPaymentRequest(order_id=order_id, payments=moved, at=reading.stamp(at))
