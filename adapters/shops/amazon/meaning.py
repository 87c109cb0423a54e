"""What an order of Amazon means: placed, cancelled or wished to be, by what the ledger knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.amazon.marketplaces import marketplace
from adapters.shops.amazon.payloads import AmazonAddress, AmazonBreakdown, AmazonItem, AmazonOrder
from adapters.shops.differences import ENDED, NOTHING_LEFT
from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2

_WAITS = frozenset({"PENDING", "PENDING_AVAILABILITY"})
_OPEN = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})
_CANCELLED = "CANCELLED"
_FAST = frozenset({"EXPEDITED", "NEXT_DAY", "PRIORITY", "SAME_DAY", "SECOND_DAY"})
_REPLACES = "REPLACEMENT_ORIGINAL_ID"
_AT_THE_DOOR = "cashOnDelivery"
_GOODS = "ITEM"
_CHARGES = {
    "SHIPPING": order_money_pb2.CHARGE_KIND_SHIPPING,
    "GIFT_WRAP": order_money_pb2.CHARGE_KIND_GIFT_WRAP,
    "COD_FEE": order_money_pb2.CHARGE_KIND_HANDLING,
    "TAX": order_money_pb2.CHARGE_KIND_TAX,
    "DISCOUNT": order_money_pb2.CHARGE_KIND_DISCOUNT,
}
_PARTIES = {"BUYER": common_pb2.PARTY_CUSTOMER}
"""On whose wish it was cancelled; Amazon itself does it where the retailer was late, or the buyer's payment failed."""


def of_order(order: AmazonOrder, channel: str, known: KnownNow) -> Understood:
    """The commands that an order's state asks for."""
    if order.fulfillment is None:
        raise NotUnderstood("fulfillment: is missing")
    if order.fulfillment.fulfilled_by == "AMAZON":
        return Understood(ignored="Amazon sends it from its own warehouses")
    status = order.fulfillment.fulfillment_status
    updated = reading.instant(order.last_updated_time, "lastUpdatedTime")
    there = known.order(f"{channel}/{order.order_id}")
    if there is None:
        return _new(order, status, channel, updated)
    if there.status in ENDED:
        return Understood(ignored="the order is over")
    if status == _CANCELLED:
        return Understood((_cancelled(order, there, updated),))
    before = known.before()
    change = _Change(order, reading.decoded(before, AmazonOrder) if before else None, there, updated)
    wanted = tuple(change.commands())
    return Understood(wanted) if wanted else Understood(ignored="nothing that the ledger keeps has changed")


def _new(order: AmazonOrder, status: str, channel: str, updated: datetime) -> Understood:
    if status in _WAITS:
        return Understood(ignored="it is not paid yet: Amazon tells again once it is to be sent")
    if status == _CANCELLED:
        return Understood(ignored="it was cancelled before anything was to be sent")
    if status == "SHIPPED":
        return Understood(ignored="it was sent before the ledger knew of it")
    if status not in _OPEN:
        raise NotUnderstood("fulfillment.fulfillmentStatus: a word that is not known")
    if all(item.still <= item.sent for item in order.order_items):
        return Understood(ignored="nothing of it is still to be sent")
    placed = _wanted(_placed(order, channel), order, "", updated)
    asked = {each.order_item_id for each in order.order_items if each.is_to_be_cancelled}
    lines = list(_lines(order, _currency(order)))
    named = [
        common_pb2.LineUnits(line_no=each.line_no, units=each.quantity)
        for each in lines
        if each.channel_line_id in asked
    ]
    if not named:
        return Understood((placed,))
    whole = len(named) == len(lines)
    return Understood((placed, _wished(order, f"{channel}/{order.order_id}", named, updated, whole=whole)))


def _wanted(request: object, order: AmazonOrder, aspect: str, updated: datetime, *fine: str) -> WantedCommand:
    version = updated.strftime("%Y%m%dT%H%M%S.%fZ")
    return WantedCommand(request, f"{order.order_id}{aspect}", version, frozenset(fine))  # type: ignore[arg-type]


# --- placing --------------------------------------------------------------------------------------


def _placed(order: AmazonOrder, channel: str) -> orders_pb2.PlaceOrderRequest:
    currency = _currency(order)
    placed_at = reading.instant(order.created_time, "createdTime")
    constraints = [each for item in order.order_items for each in item.constraints]
    gifts = [item.gift for item in order.order_items if item.gift is not None]
    request = orders_pb2.PlaceOrderRequest(
        channel=channel,
        channel_order_id=order.order_id,
        placed_at=reading.stamp(placed_at),
        currency=currency,
        lines=list(_lines(order, currency)),
        customer=_customer(order),
        ship_to=_address(order.address),
        priority=orders_pb2.PRIORITY_EXPRESS if _is_fast(order) else orders_pb2.PRIORITY_STANDARD,
        note="\n".join(_notes(order)),
        gift=bool(gifts),
        packing=["gift_wrap"] if any(each.gift_wrap_level for each in gifts) else [],
        charges=list(_charges(order, currency)),
        cash_on_delivery=_is_paid_at_the_door(order, constraints),
        tags=sorted(set(_tags(order, constraints)))[:20],
    )
    if (promised_by := _promised_by(order)) is not None:
        request.promised_by.CopyFrom(reading.stamp(promised_by))
    total = _total(order, currency)
    if request.cash_on_delivery:
        request.payment = orders_pb2.PAYMENT_STATE_PENDING
    elif total > 0:
        request.payments.append(_captured(order, total, currency, placed_at))
    else:
        request.payment = orders_pb2.PAYMENT_STATE_PAID  # nothing is to be paid, as of a replacement
    return request


def _currency(order: AmazonOrder) -> str:
    """That of the total; of an order without a price, such as a replacement, its marketplace's."""
    if order.proceeds and order.proceeds.grand_total:
        return reading.currency(order.proceeds.grand_total.currency_code, "proceeds.grandTotal.currencyCode")
    for item in order.order_items:
        for each in _parts(item):
            return reading.currency(each.subtotal.currency_code, "proceeds.breakdowns.subtotal.currencyCode")
        if (price := item.product.price) and price.unit_price:
            return reading.currency(price.unit_price.currency_code, "product.price.unitPrice.currencyCode")
    sold_in = marketplace(order.sales_channel.marketplace_id or "")
    if sold_in is None:
        raise NotUnderstood("proceeds.grandTotal: is missing, and the marketplace is not known")
    return sold_in.currency


def _parts(item: AmazonItem) -> list[AmazonBreakdown]:
    return (item.proceeds.breakdowns or []) if item.proceeds else []


def _lines(order: AmazonOrder, currency: str) -> Iterator[orders_pb2.OrderLine]:
    """The units that are still to be sent; those that were sent before the order was known here are nobody's work."""
    ship_by = order.fulfillment.ship_by_window if order.fulfillment else None
    dispatch_by = ship_by.latest("fulfillment.shipByWindow.latestDateTime") if ship_by else None
    for place, item in enumerate(order.order_items, 1):
        quantity = item.still - item.sent
        if quantity <= 0:
            continue
        whole = max(item.quantity_ordered, 1)
        total = max(0, _goods(item, currency)) * quantity // whole
        line = orders_pb2.OrderLine(
            line_no=place,
            sku=reading.first(item.product.seller_sku, item.product.asin),
            title=" ".join((item.product.title or "").split())[:1000],
            quantity=quantity,
            unit_price_minor=total // quantity,
            total_minor=total,
            channel_line_id=item.order_item_id,
        )
        if dispatch_by is not None:
            line.dispatch_by.CopyFrom(reading.stamp(dispatch_by))
        yield line


def _goods(item: AmazonItem, currency: str) -> int:
    """What all its units cost, by what the seller receives or else by the price of one."""
    amounts = [each.subtotal.minor(currency, "breakdowns.subtotal") for each in _parts(item) if each.type == _GOODS]
    if amounts:
        return sum(amounts)
    price = item.product.price
    unit = price.unit_price if price else None
    return unit.minor(currency, "product.price.unitPrice") * item.quantity_ordered if unit else 0


def _charges(order: AmazonOrder, currency: str) -> Iterator[order_money_pb2.Charge]:
    """What is paid beside the goods; of an order that was sent in part before, nothing: it went with that part."""
    if any(item.sent for item in order.order_items):
        return
    found: dict[str, int] = {}
    for each in _all_parts(order):
        if each.type != _GOODS and each.status != "PENDING":
            found[each.type] = found.get(each.type, 0) + each.subtotal.minor(currency, "breakdowns.subtotal")
    if "DISCOUNT" in found:
        found["DISCOUNT"] = -abs(found["DISCOUNT"])
    goods = sum(line.total_minor for line in _lines(order, currency))
    if order.proceeds and order.proceeds.grand_total:
        total = order.proceeds.grand_total.minor(currency, "proceeds.grandTotal")
        if rest := total - goods - sum(found.values()):
            found["rest"] = rest
    for word, amount in found.items():
        if amount:
            kind = _CHARGES.get(word, order_money_pb2.CHARGE_KIND_OTHER)
            kind = kind if amount > 0 else order_money_pb2.CHARGE_KIND_DISCOUNT
            yield order_money_pb2.Charge(charge_id=_kebab(word), kind=kind, amount_minor=amount)


def _all_parts(order: AmazonOrder) -> list[AmazonBreakdown]:
    """As the order adds them up, or as its items do where it does not."""
    whole = (order.proceeds.breakdowns or []) if order.proceeds else []
    return whole or [each for item in order.order_items for each in _parts(item)]


def _total(order: AmazonOrder, currency: str) -> int:
    charges = sum(each.amount_minor for each in _charges(order, currency))
    return sum(line.total_minor for line in _lines(order, currency)) + charges


def _captured(order: AmazonOrder, total: int, currency: str, at: datetime) -> order_money_pb2.Payment:
    """Amazon has taken the money before it lets an order be sent."""
    return order_money_pb2.Payment(
        payment_id=f"paid-{order.order_id}",
        kind=order_money_pb2.PAYMENT_KIND_CAPTURED,
        amount=common_pb2.Money(amount_minor=total, currency=currency),
        method="amazon",
        at=reading.stamp(at),
    )


def _is_paid_at_the_door(order: AmazonOrder, constraints: list[str]) -> bool:
    executions = (order.payment.payment_executions or []) if order.payment else []
    return _AT_THE_DOOR in constraints or any(each.payment_method == "CashOnDelivery" for each in executions)


def _is_fast(order: AmazonOrder) -> bool:
    """A seller who sends Prime orders keeps to Prime's deadlines."""
    level = order.fulfillment.fulfillment_service_level if order.fulfillment else ""
    return level in _FAST or "PRIME" in (order.programs or [])


def _promised_by(order: AmazonOrder) -> datetime | None:
    """When the buyer was told that it arrives: the order's word, else the last of its items'."""
    window = order.fulfillment.deliver_by_window if order.fulfillment else None
    if window is not None and (at := window.latest("fulfillment.deliverByWindow.latestDateTime")) is not None:
        return at
    windows = [item.shipping.scheduled_delivery_window for item in order.order_items]
    told = [each.latest("scheduledDeliveryWindow.latestDateTime") for each in windows if each]
    return max((each for each in told if each is not None), default=None)


def _tags(order: AmazonOrder, constraints: list[str]) -> Iterator[str]:
    """Words by which people find it: Amazon's programs, what has to be kept to, and whether it replaces another."""
    for word in [*(order.programs or []), *(each for each in constraints if each != _AT_THE_DOOR)]:
        yield _kebab(word)[:50]
    if _replaced(order):
        yield "replacement"


def _replaced(order: AmazonOrder) -> list[str]:
    return [each.order_id or "" for each in order.associated_orders or [] if each.association_type == _REPLACES]


def _kebab(word: str) -> str:
    """GIFT_WRAP and signatureConfirmation as gift-wrap and signature-confirmation."""
    split = "".join(f"-{each}" if each.isupper() and not word.isupper() else each for each in word)
    return split.replace("_", "-").strip("-").lower()


def _notes(order: AmazonOrder) -> Iterator[str]:
    """What people have to know who pack and send it."""
    for replaced in _replaced(order):
        yield f"Replaces the order {replaced}."
    wish = order.recipient.delivery_preference if order.recipient else None
    if wish is not None:
        yield from reading.lines(wish.drop_off_location, wish.address_instruction)
    if order.buyer is not None and order.buyer.buyer_purchase_order_number:
        yield f"The buyer's purchase order: {order.buyer.buyer_purchase_order_number}"
    for item in order.order_items:
        international = item.shipping.international_shipping
        if international is not None and international.ioss_number:
            yield f"IOSS {international.ioss_number}: the tax is paid."
        if item.gift is not None and item.gift.gift_message:
            yield f"Gift message for {item.product.seller_sku}: {item.gift.gift_message}"


def _customer(order: AmazonOrder) -> orders_pb2.Customer:
    """The e-mail address is Amazon's, which passes on what concerns the order."""
    place, buyer = order.address, order.buyer
    return orders_pb2.Customer(
        name=reading.first(place.name if place else "", buyer.buyer_name if buyer else ""),
        email=reading.first(buyer.buyer_email if buyer else ""),
        phone=reading.first(place.phone if place else ""),
    )


def _address(place: AmazonAddress | None) -> orders_pb2.Address:
    if place is None:
        return orders_pb2.Address()
    company = place.company_name if place.company_name != place.name else ""
    streets = (place.address_line1, place.address_line2, place.address_line3)
    return orders_pb2.Address(
        lines=list(reading.lines(company, *streets, place.district_or_county)),
        city=reading.first(place.city, place.municipality),
        region=reading.first(place.state_or_region),
        postal_code=reading.first(place.postal_code)[:20],
        country=reading.first(place.country_code).upper(),
    )


# --- changing -------------------------------------------------------------------------------------


def _cancelled(order: AmazonOrder, there: orders_pb2.Order, updated: datetime) -> WantedCommand:
    executed = [item.cancelled_by for item in order.order_items if item.cancelled_by]
    request = orders_pb2.CancelOrderRequest(
        order_id=there.order_id,
        by=_PARTIES.get(executed[0] if executed else "", common_pb2.PARTY_RETAILER),
        reason=f"cancelled_by_{executed[0].lower()}" if executed else "cancelled",
        at=reading.stamp(updated),
    )
    return _wanted(request, order, "/cancel", updated, *NOTHING_LEFT)


def _wished(
    order: AmazonOrder, order_id: str, named: list[common_pb2.LineUnits], updated: datetime, *, whole: bool
) -> WantedCommand:
    """The buyer wants no more of it. Whether that still goes is decided here, and Amazon is told."""
    request = orders_pb2.CancelOrderRequest(
        order_id=order_id,
        lines=[] if whole else named,
        by=common_pb2.PARTY_CUSTOMER,
        reason="buyer_asked",
        at=reading.stamp(updated),
    )
    wanted = _wanted(request, order, "/wish", updated, *NOTHING_LEFT, "CANNOT_CANCEL")
    return replace(wanted, is_wish=True)


class _Line(NamedTuple):
    """What the ledger has of an item: a bundle has a line for each of its parts."""

    parts: list[orders_pb2.OrderLineState]

    @property
    def wanted(self) -> int:
        return min(each.wanted // _per_unit(each) for each in self.parts)

    @property
    def unsent(self) -> int:
        """Units that are not with a carrier yet."""
        kept = [each.units.open + each.units.backordered + each.units.assigned for each in self.parts]
        return min(units // _per_unit(each) for units, each in zip(kept, self.parts, strict=True))

    def named(self, units: int) -> list[common_pb2.LineUnits]:
        return [common_pb2.LineUnits(line_no=each.line.line_no, units=units * _per_unit(each)) for each in self.parts]


def _per_unit(line: orders_pb2.OrderLineState) -> int:
    return line.part_of.units or 1


class _Change:
    """What has changed of an order that the ledger has."""

    def __init__(
        self, order: AmazonOrder, before: AmazonOrder | None, there: orders_pb2.Order, updated: datetime
    ) -> None:
        self._order = order
        self._before = before
        self._there = there
        self._updated = updated
        self._lines: dict[str, _Line] = {}
        for line in there.lines:
            self._lines.setdefault(line.line.channel_line_id, _Line([])).parts.append(line)

    def commands(self) -> Iterator[WantedCommand]:
        yield from self._address()
        yield from self._fewer()
        yield from self._wishes()

    def _address(self) -> Iterator[WantedCommand]:
        """Where it goes, if that was not told before or differs from it. Amazon shows less of it after it was sent."""
        order, before = self._order, self._before
        if order.address is None or not order.address.address_line1:
            return
        customer, ship_to = _customer(order), _address(order.address)
        if before is None and self._there.ship_to.country == ship_to.country:
            return  # what the ledger shows of it is the same
        if before is not None:
            known = _customer(before)
            customer.email, customer.phone = customer.email or known.email, customer.phone or known.phone
            if (known, _address(before.address)) == (customer, ship_to):
                return
        request = orders_pb2.ChangeAddressRequest(order_id=self._there.order_id, customer=customer, ship_to=ship_to)
        request.at.CopyFrom(reading.stamp(self._updated))
        yield _wanted(request, order, "/address", self._updated)

    def _fewer(self) -> Iterator[WantedCommand]:
        """Units that Amazon, its buyer or somebody in its pages has cancelled."""
        fewer, parties = [], set()
        for item in self._order.order_items:
            line = self._lines.get(item.order_item_id)
            if line is not None and item.still < line.wanted:
                fewer += line.named(line.wanted - item.still)
                parties.add(item.cancelled_by)
        if fewer:
            request = orders_pb2.CancelOrderRequest(
                order_id=self._there.order_id,
                lines=fewer,
                by=_PARTIES.get(parties.pop() if len(parties) == 1 else "", common_pb2.PARTY_RETAILER),
                reason="cancelled",
                at=reading.stamp(self._updated),
            )
            yield _wanted(request, self._order, "/fewer", self._updated, *NOTHING_LEFT)

    def _wishes(self) -> Iterator[WantedCommand]:
        """What the buyer asked for since the state of before; it is not asked again because something else changed."""
        before = self._before.order_items if self._before else []
        known = {each.order_item_id for each in before if each.is_to_be_cancelled}
        named, whole = [], True
        for item in self._order.order_items:
            line = self._lines.get(item.order_item_id)
            units = min(item.still - item.sent, line.wanted, line.unsent) if line is not None else 0
            if line is not None and units > 0 and item.is_to_be_cancelled and item.order_item_id not in known:
                named += line.named(units)
            elif line is not None and line.wanted:
                whole = False
        if named:
            yield _wished(self._order, self._there.order_id, named, self._updated, whole=whole)
