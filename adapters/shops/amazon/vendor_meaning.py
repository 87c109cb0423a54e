"""What a purchase order of Amazon means, which a vendor sends to Amazon's customer."""

from __future__ import annotations

from collections.abc import Iterator

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.amazon.vendor_payloads import VendorAddress, VendorDetails, VendorItem, VendorMoney, VendorOrder
from adapters.shops.differences import ENDED, NOTHING_LEFT
from adapters.tracking.countries import country
from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2

_OPEN = frozenset({"NEW", "ACCEPTED"})
_HIDDEN = "xxxxx"
"""What stands for a customer's data where only Amazon's labels show it."""


def of_purchase_order(order: VendorOrder, channel: str, contact: str, known: KnownNow) -> Understood:
    """The commands that its state asks for. ``contact`` is who is written to where Amazon names nobody."""
    details, number = order.order_details, order.purchase_order_number
    status = details.order_status or "NEW"
    there = known.order(f"{channel}/{number}")
    if status == "CANCELLED":
        if there is None or there.status in ENDED:
            return Understood(ignored="it was cancelled, and nothing of it is to be sent")
        request = orders_pb2.CancelOrderRequest(
            order_id=there.order_id, by=common_pb2.PARTY_CUSTOMER, reason="cancelled_by_amazon"
        )
        return Understood((WantedCommand(request, f"{number}/cancel", str(there.version), NOTHING_LEFT),))
    if there is not None:
        return Understood(ignored="nothing that the ledger keeps has changed")
    if status == "SHIPPED":
        return Understood(ignored="it was sent before the ledger knew of it")
    if status not in _OPEN:
        raise NotUnderstood("orderDetails.orderStatus: a word that is not known")
    return Understood((WantedCommand(_placed(order, channel, contact), number, "placed"),))


def _placed(order: VendorOrder, channel: str, contact: str) -> orders_pb2.PlaceOrderRequest:
    details, shipment = order.order_details, order.order_details.shipment_details
    currency = _currency(details)
    gifts = [item.gift_details for item in details.items if item.gift_details is not None]
    dates = shipment.shipment_dates
    request = orders_pb2.PlaceOrderRequest(
        channel=channel,
        channel_order_id=order.purchase_order_number,
        placed_at=reading.stamp(reading.instant(details.order_date, "orderDetails.orderDate")),
        currency=currency,
        lines=list(_lines(details, currency)),
        customer=_customer(details.ship_to_party, contact),
        ship_to=_address(details.ship_to_party),
        # Amazon pays by the vendor's invoice, whose terms are agreed: no payment is waited for.
        payment=orders_pb2.PAYMENT_STATE_PAID,
        priority=orders_pb2.PRIORITY_EXPRESS if shipment.is_priority_shipment else orders_pb2.PRIORITY_STANDARD,
        gift=bool(shipment.is_gift),
        packing=["gift_wrap"] if any(each.gift_wrap_id for each in gifts) else [],
        note="\n".join(_notes(details)),
        charges=list(_tax(details, currency)),
        tags=[details.customer_order_number.lower()[:50]] if details.customer_order_number else [],
    )
    if dates is not None and dates.promised_delivery_date:
        promised = reading.instant(dates.promised_delivery_date, "shipmentDates.promisedDeliveryDate")
        request.promised_by.CopyFrom(reading.stamp(promised))
    return request


def _currency(details: VendorDetails) -> str:
    codes = {item.net_price.currency_code for item in details.items if item.net_price and item.net_price.currency_code}
    if len(codes) != 1:
        raise NotUnderstood("orderDetails.items.netPrice.currencyCode: not the same one in all items")
    return reading.currency(codes.pop(), "orderDetails.items.netPrice.currencyCode")


def _lines(details: VendorDetails, currency: str) -> Iterator[orders_pb2.OrderLine]:
    dates = details.shipment_details.shipment_dates
    ship_by = dates.required_ship_date if dates else None
    for place, item in enumerate(details.items, 1):
        quantity = (item.ordered_quantity.amount or 0) if item.ordered_quantity else 0
        if quantity <= 0:
            continue
        line = orders_pb2.OrderLine(
            line_no=place,
            sku=sku_of(item),
            title=" ".join((item.title or "").split())[:1000],
            quantity=quantity,
            unit_price_minor=max(0, _minor(item.net_price, currency, "netPrice")),
            channel_line_id=item.item_sequence_number,
        )
        if ship_by:
            line.dispatch_by.CopyFrom(reading.stamp(reading.instant(ship_by, "shipmentDates.requiredShipDate")))
        yield line


def sku_of(item: VendorItem) -> str:
    return reading.first(item.vendor_product_identifier, item.buyer_product_identifier)


def _tax(details: VendorDetails, currency: str) -> Iterator[order_money_pb2.Charge]:
    lines = (details.tax_total.tax_line_item or []) if details.tax_total else []
    tax = sum(_minor(each.tax_amount, currency, "taxTotal.taxAmount") for each in lines)
    if tax > 0:
        yield order_money_pb2.Charge(charge_id="tax", kind=order_money_pb2.CHARGE_KIND_TAX, amount_minor=tax)


def _minor(money: VendorMoney | None, currency: str, field: str) -> int:
    if money is None or money.amount is None:
        return 0
    if money.currency_code != currency:
        raise NotUnderstood(f"{field}: of another currency than the order")
    return reading.minor(money.amount, currency, field)


def _notes(details: VendorDetails) -> Iterator[str]:
    if details.shipment_details.ship_method:
        yield f"Amazon's ship method: {details.shipment_details.ship_method}"
    for item in details.items:
        if item.gift_details is not None and item.gift_details.gift_message:
            yield f"Gift message for {sku_of(item)}: {item.gift_details.gift_message}"


def _customer(place: VendorAddress, contact: str) -> orders_pb2.Customer:
    phone = _shown(place.phone)
    return orders_pb2.Customer(name=_shown(place.name), email="" if phone else contact, phone=phone)


def _address(place: VendorAddress) -> orders_pb2.Address:
    attention = place.attention if place.attention != place.name else ""
    streets = (attention, place.address_line1, place.address_line2, place.address_line3, place.district, place.county)
    return orders_pb2.Address(
        lines=list(reading.lines(*(_shown(each) for each in streets))),
        city=_shown(place.city),
        region=_shown(place.state_or_region),
        postal_code=_shown(place.postal_code)[:20],
        country=country(place.country_code) or reading.first(place.country_code).upper(),
    )


def _shown(text: str | None) -> str:
    found = reading.first(text)
    return "" if found == _HIDDEN else found
