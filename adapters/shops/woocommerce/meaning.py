"""What an order of WooCommerce means: placed, paid, changed, refunded or cancelled, by what the ledger knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.differences import ENDED, NOTHING_LEFT, address_change, is_as_known, line_numbers
from adapters.shops.woocommerce.payloads import WooOrder, WooPlace, at, minor, text, units, woo_order
from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2

_UNFINISHED = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
"""Nobody has bought anything yet."""
_OVER = frozenset({"cancelled", "trash", "failed", "refunded"})
_PAID = frozenset({"processing", "completed", "refunded"})
_UNPAID = frozenset({"pending", "on-hold"})
_DOOR = "cod"
"""The payment method by which the carrier collects the money."""


def of_order(order: WooOrder, channel: str, known: KnownNow, changed_at: datetime | None = None) -> Understood:
    """The commands that an order's state asks for; it is of the time that is believed, or says it itself."""
    if order.status in _UNFINISHED:
        return Understood(ignored=f"an order that is {order.status} is not bought yet")
    modified = changed_at or at(order.date_modified_gmt, "date_modified_gmt")
    if modified is None:
        raise NotUnderstood("date_modified_gmt: is missing")
    there = known.order(f"{channel}/{order.id}")
    if there is None:
        if order.status in _OVER:
            return Understood(ignored=f"it was {order.status} before anything was to be sent")
        return Understood((_wanted(_placed(order, channel), order, "", modified),))
    before = known.before()
    found = _Change(order, woo_order(before) if before else None, there, modified)
    wanted = tuple(found.commands())
    return Understood(wanted) if wanted else Understood(ignored="nothing that the ledger keeps has changed")


def of_deleted(order_id: int, channel: str, known: KnownNow) -> Understood:
    """An order that was thrown away is cancelled, as far as it can be."""
    there = known.order(f"{channel}/{order_id}")
    if there is None or there.status in ENDED:
        return Understood(ignored="the ledger has no such order, or it is over")
    cancel = _cancel(there.order_id, "deleted")  # no time is told
    return Understood((WantedCommand(cancel, f"{order_id}/deleted", str(there.version), NOTHING_LEFT),))


def _wanted(request: object, order: WooOrder, aspect: str, modified: datetime, *fine: str) -> WantedCommand:
    version = modified.strftime("%Y%m%dT%H%M%SZ")
    return WantedCommand(request, f"{order.id}{aspect}", version, frozenset(fine))  # type: ignore[arg-type]


# --- placing --------------------------------------------------------------------------------------


def _require_goods(order: WooOrder) -> None:
    if not order.line_items:
        raise NotUnderstood("line_items: are missing; let the shop send whole orders")


def _placed(order: WooOrder, channel: str) -> orders_pb2.PlaceOrderRequest:
    _require_goods(order)
    currency = reading.currency(order.currency, "currency")
    placed_at = at(order.date_created_gmt, "date_created_gmt")
    if placed_at is None:
        raise NotUnderstood("date_created_gmt: is missing")
    shown = text(order.number)
    request = orders_pb2.PlaceOrderRequest(
        channel=channel,
        channel_order_id=str(order.id),
        placed_at=reading.stamp(placed_at),
        currency=currency,
        lines=list(_lines(order, currency, {})),
        customer=_customer(order),
        ship_to=_address(order.goes_to),
        note=reading.first(order.customer_note),
        charges=list(_charges(order, currency)),
        cash_on_delivery=order.payment_method == _DOOR,
        tags=[shown.lower()] if shown and shown != str(order.id) and len(shown) <= 50 else [],
    )
    if order.status in _PAID and not request.cash_on_delivery:
        request.payments.extend((*_captured(order, currency), *_refunded(order, currency)))
        request.payment = orders_pb2.PAYMENT_STATE_PAID  # which counts where nothing was to be paid
    elif order.status not in _PAID and order.status not in _UNPAID:
        raise NotUnderstood("status: a word of a plugin, of which it is not known whether it is paid")
    else:
        request.payment = orders_pb2.PAYMENT_STATE_PENDING
    return request


def _lines(order: WooOrder, currency: str, numbers: dict[int, int]) -> Iterator[orders_pb2.OrderLine]:
    """The lines, numbered by their place unless a number is known; lines of no unit are left out."""
    for place, line in enumerate(order.line_items, 1):
        quantity = units(line.quantity, f"line_items[{place - 1}].quantity")
        total = minor(line.total, currency, f"line_items[{place - 1}].total")
        if quantity == 0:
            continue
        yield orders_pb2.OrderLine(
            line_no=numbers.get(line.id, place),
            sku=text(line.sku),
            title=_title(line.name),
            quantity=quantity,
            unit_price_minor=max(0, total) // quantity,
            total_minor=max(0, total),
            channel_line_id=str(line.id),
        )


def _title(name: str | None) -> str:
    return " ".join((name or "").split())[:1000]


def _charges(order: WooOrder, currency: str) -> Iterator[order_money_pb2.Charge]:
    """Carriage, fees and tax; and what the total of the shop has beside that, because it rounds in its own way."""
    sum_minor = sum(line.total_minor for line in _lines(order, currency, {}))
    shipping, fee = order_money_pb2.CHARGE_KIND_SHIPPING, order_money_pb2.CHARGE_KIND_OTHER
    for kind, word, extras in ((shipping, "shipping", order.shipping_lines), (fee, "fee", order.fee_lines)):
        for extra in extras:
            amount = minor(extra.total, currency, f"{word}_lines.total")
            sum_minor += amount
            if amount:
                title = _title(extra.method_title or extra.name)
                yield _charge(f"{word}-{extra.id}", kind, amount, title)
    tax = minor(order.total_tax, currency, "total_tax")
    sum_minor += tax
    if tax:
        yield _charge("tax", order_money_pb2.CHARGE_KIND_TAX, tax, "")
    if rest := minor(order.total, currency, "total") - sum_minor:
        yield _charge("rest", order_money_pb2.CHARGE_KIND_OTHER, rest, "")


def _charge(charge_id: str, kind: int, amount_minor: int, title: str) -> order_money_pb2.Charge:
    """What takes something off is a discount, whatever the shop calls it."""
    kind = kind if amount_minor > 0 else order_money_pb2.CHARGE_KIND_DISCOUNT
    return order_money_pb2.Charge(charge_id=charge_id, kind=kind, amount_minor=amount_minor, title=title)  # type: ignore[arg-type]


def _captured(order: WooOrder, currency: str) -> list[order_money_pb2.Payment]:
    """None of an order that costs nothing."""
    amount = common_pb2.Money(amount_minor=minor(order.total, currency, "total"), currency=currency)
    if not amount.amount_minor:
        return []
    paid_at = at(order.date_paid_gmt, "date_paid_gmt") or at(order.date_created_gmt, "date_created_gmt")
    captured = order_money_pb2.PAYMENT_KIND_CAPTURED
    method = reading.first(order.payment_method)[:50]
    payment = order_money_pb2.Payment(payment_id=f"paid-{order.id}", kind=captured, amount=amount, method=method)
    if paid_at is not None:
        payment.at.CopyFrom(reading.stamp(paid_at))
    return [payment]


def _refunded(order: WooOrder, currency: str) -> Iterator[order_money_pb2.Payment]:
    for refund in order.refunds:
        if amount := abs(minor(refund.total, currency, "refunds.total")):
            yield order_money_pb2.Payment(
                payment_id=f"refund-{refund.id}",
                kind=order_money_pb2.PAYMENT_KIND_REFUNDED,
                amount=common_pb2.Money(amount_minor=amount, currency=currency),
            )


def _customer(order: WooOrder) -> orders_pb2.Customer:
    bill, goes_to = order.billing, order.goes_to
    return orders_pb2.Customer(
        name=reading.first(goes_to.name, bill.name),
        email=reading.first(bill.email, goes_to.email),
        phone=reading.first(goes_to.phone, bill.phone),
    )


def _address(place: WooPlace) -> orders_pb2.Address:
    lines = reading.lines(place.company if place.name != place.company else "", place.address_1, place.address_2)
    return orders_pb2.Address(
        lines=list(lines),
        city=reading.first(place.city),
        region=reading.first(place.state),
        postal_code=reading.first(place.postcode)[:20],
        country=reading.first(place.country).upper(),
    )


def _cancel(order_id: str, reason: str) -> orders_pb2.CancelOrderRequest:
    return orders_pb2.CancelOrderRequest(order_id=order_id, by=common_pb2.PARTY_CUSTOMER, reason=reason)


# --- changing -------------------------------------------------------------------------------------


class _Change:
    """What has changed of an order that the ledger has."""

    def __init__(self, order: WooOrder, before: WooOrder | None, there: orders_pb2.Order, modified: datetime) -> None:
        self._order = order
        self._before = before
        self._there = there
        self._modified = modified
        self._currency = reading.currency(order.currency, "currency")
        if there.currency and there.currency != self._currency:
            raise NotUnderstood("currency: another one than the order was placed in")

    def commands(self) -> Iterator[WantedCommand]:
        """Money first, because an edit may be paid for; a cancel last."""
        yield from self._payments()
        order, over = self._order, self._order.status in _OVER
        if not over and self._there.status not in ENDED:
            yield from self._amendment()
            yield from self._address()
        if over and order.status != "failed" and self._there.status not in ENDED:
            request = _cancel(self._there.order_id, order.status)
            request.at.CopyFrom(reading.stamp(self._modified))
            yield _wanted(request, order, "/cancel", self._modified, *NOTHING_LEFT)

    def _payments(self) -> Iterator[WantedCommand]:
        """What came in and went back since; what is known stays as it was told."""
        order, known = self._order, {(each.kind, each.payment_id) for each in self._there.payments}
        moved = []
        if order.status in _PAID and not self._at_the_door:
            came_in = _captured(order, self._currency)
            moved += [each for each in came_in if (each.kind, each.payment_id) not in known]
        moved += [each for each in _refunded(order, self._currency) if (each.kind, each.payment_id) not in known]
        request = orders_pb2.RecordPaymentRequest(order_id=self._there.order_id, payments=moved)
        if not moved and order.status == "failed" and self._there.payment == orders_pb2.PAYMENT_STATE_PENDING:
            request.payment = orders_pb2.PAYMENT_STATE_FAILED
        if moved or request.payment:
            request.at.CopyFrom(reading.stamp(self._modified))
            yield _wanted(request, order, "/payment", self._modified)

    @property
    def _at_the_door(self) -> bool:
        return self._order.payment_method == _DOOR

    def _amendment(self) -> Iterator[WantedCommand]:
        """Lines and charges as they are to be now, if they differ from what was told before."""
        order, before = self._order, self._before
        _require_goods(order)
        wanted = list(_lines(order, self._currency, self._numbers()))
        charges = list(_charges(order, self._currency))
        if before is not None and self._sold(before) == self._sold(order):
            return
        if before is None and is_as_known(self._there, wanted, charges):
            return
        request = orders_pb2.AmendOrderRequest(
            order_id=self._there.order_id, lines=wanted, charges=charges, reason="shop_edit"
        )
        request.at.CopyFrom(reading.stamp(self._modified))
        yield _wanted(request, order, "/lines", self._modified)

    def _sold(self, order: WooOrder) -> list[bytes]:
        parts = [*_lines(order, self._currency, {}), *_charges(order, self._currency)]
        return [each.SerializeToString(deterministic=True) for each in parts]

    def _numbers(self) -> dict[int, int]:
        items = self._order.line_items
        numbers = line_numbers(self._there, [(str(item.id), text(item.sku)) for item in items])
        return {item.id: number for item, number in zip(items, numbers, strict=True)}

    def _address(self) -> Iterator[WantedCommand]:
        """Where it goes now, if that differs from what was told before."""
        order, before = self._order, self._before
        told = (_customer(before), _address(before.goes_to)) if before is not None else None
        now = (_customer(order), _address(order.goes_to))
        if (request := address_change(self._there, told, now, self._modified)) is not None:
            yield _wanted(request, order, "/address", self._modified)
