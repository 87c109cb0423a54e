"""What an order of Shopify means: placed, paid, changed, sent by others or cancelled, by what the ledger knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from google.protobuf.message import Message

from adapters.edges import reading
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood, WantedCommand
from adapters.shops.differences import ENDED, address_change, is_as_known, line_numbers
from adapters.shops.known import KnownLine, known_lines
from adapters.shops.shopify import parcels, selling
from adapters.shops.shopify.payloads import (
    ShopifyOrder,
    ShopifyPlace,
    ShopifyRefund,
    required_at,
)
from fulfilment.v1 import cases_pb2, common_pb2, order_money_pb2, orders_pb2, shipping_pb2

_CANCELLED = frozenset({"ORDER_CLOSED", "NOTHING_TO_CANCEL", "CANNOT_CANCEL"})
_BY: Mapping[str, common_pb2.Party.ValueType] = {
    "customer": common_pb2.PARTY_CUSTOMER,
    "fraud": common_pb2.PARTY_CUSTOMER,
    "declined": common_pb2.PARTY_CUSTOMER,
}
"""On whose wish or by whose fault; for what is not listed the retailer answers."""
_AMENDED = "shop_edit"


def of_order(order: ShopifyOrder, channel: str, known: KnownNow, changed_at: datetime | None = None) -> Understood:
    """The commands that an order's state asks for; it is of the time that is believed, or says it itself."""
    modified = changed_at or required_at(order.updated_at, "updated_at")
    if order.test:
        return Understood(ignored="it is a test order: nobody has bought anything")
    if not order.line_items:
        raise NotUnderstood("line_items: are missing; let the shop send whole orders")
    there = known.order(f"{channel}/{order.id}")
    if there is None:
        return _first(order, channel, modified)
    before = known.before()
    found = _Change(order, reading.decoded(before, ShopifyOrder) if before else None, there, modified, known)
    wanted = tuple(found.commands())
    if not wanted and not found.problems:
        return Understood(ignored="nothing that the ledger keeps has changed")
    return Understood(wanted, look=found.problems[0] if found.problems else "")


def _first(order: ShopifyOrder, channel: str, modified: datetime) -> Understood:
    if order.cancelled_at:
        return Understood(ignored="it was cancelled before anything was to be sent")
    if not order.goods:
        return Understood(ignored="nothing of it is sent: gift cards, downloads, tips")
    if order.source_name == "pos" and not (order.shipping_lines and order.shipping_address):
        return Understood(ignored="it was sold over the counter")
    count = selling.wanted(order, {})
    if not any(count[line.id] for line in order.goods):
        return Understood(ignored="nothing of it is wanted any more")
    sent = parcels.units_sent(order)
    if order.fulfillment_status == "fulfilled" or all(sent[line.id] >= count[line.id] for line in order.goods):
        return Understood(ignored="all of it was sent before the ledger knew it")
    placed = _wanted(_placed(order, channel, count), order, "", modified)
    if not sent:
        return Understood((placed,))
    hold = orders_pb2.PlaceHoldRequest(
        order_id=f"{channel}/{order.id}",
        reason=orders_pb2.HOLD_REASON_OTHER,
        owner=parcels.HOLDER,
        note="A part of it was sent before, by somebody else. Cancel those units, then release the hold.",
    )
    return Understood((placed, _wanted(hold, order, "/hold", modified)))


def of_deleted(order_id: str, channel: str, known: KnownNow) -> Understood:
    """An order that was deleted is cancelled, as far as it can be."""
    there = known.order(f"{channel}/{order_id}")
    if there is None or there.status in ENDED:
        return Understood(ignored="the ledger has no such order, or it is over")
    cancel = orders_pb2.CancelOrderRequest(order_id=there.order_id, by=common_pb2.PARTY_RETAILER, reason="deleted")
    return Understood((WantedCommand(cancel, f"{order_id}/deleted", str(there.version), _CANCELLED),))


def of_refund(refund: ShopifyRefund, channel: str, known: KnownNow) -> Understood:
    """Money that went back. Units that are not wanted any more are told by the order, which comes as well."""
    there = known.order(f"{channel}/{refund.order_id}")
    if there is None:
        return Understood(ignored="the ledger has no such order; should it come, it tells its refunds")
    before = known.before()
    order = reading.decoded(before, ShopifyOrder) if before else ShopifyOrder(id=refund.order_id or 0)
    if (granted := _granted_paid(refund, there)) is not None:
        return Understood((granted,))
    known_payments = {(each.kind, each.payment_id) for each in there.payments}
    found = [selling.refund_payment(each, order, there.currency) for each in refund.transactions]
    moved = [each for each in found if each is not None and (each.kind, each.payment_id) not in known_payments]
    if not moved:
        return Understood(ignored="no money went back by it that is not known")
    request = orders_pb2.RecordPaymentRequest(order_id=there.order_id, payments=moved)
    return Understood((WantedCommand(request, f"{refund.order_id}/refund/{refund.id}", _numbers(moved)),))


def _granted_paid(refund: ShopifyRefund, there: orders_pb2.Order) -> WantedCommand | None:
    """That a refund of a case is paid, once it is through."""
    granted = selling.granted_here(refund)
    if granted is None or not _is_through(refund):
        return None
    case_id, refund_id = granted
    request = cases_pb2.RecordRefundPaidRequest(case_id=case_id, refund_id=refund_id, reference=str(refund.id))
    return WantedCommand(request, f"{there.order_id}/refund/{refund.id}/paid", refund_id)


def _is_through(refund: ShopifyRefund) -> bool:
    states = [each.status for each in refund.transactions if each.kind == "refund"]
    return bool(states) and all(each == "success" for each in states)


def _numbers(moved: list[order_money_pb2.Payment]) -> str:
    return ",".join(each.payment_id for each in moved)


def _wanted(request: Message, order: ShopifyOrder, aspect: str, modified: datetime, *fine: str) -> WantedCommand:
    return WantedCommand(request, f"{order.id}{aspect}", modified.strftime("%Y%m%dT%H%M%SZ"), frozenset(fine))


# --- placing --------------------------------------------------------------------------------------


def _placed(order: ShopifyOrder, channel: str, count: Mapping[int, int]) -> orders_pb2.PlaceOrderRequest:
    currency = reading.currency(order.currency, "currency")
    placed_at = required_at(order.processed_at or order.created_at, "created_at")
    shown = reading.first(order.name).lower()
    request = orders_pb2.PlaceOrderRequest(
        channel=channel,
        channel_order_id=str(order.id),
        placed_at=reading.stamp(placed_at),
        currency=currency,
        lines=list(selling.lines(order, currency, count, {})),
        customer=_customer(order),
        ship_to=_address(_goes_to(order)),
        note=reading.first(order.note)[:10_000],
        charges=selling.charges(order, currency, count),
        payments=selling.payments(order, currency, {}),
        cash_on_delivery=selling.is_at_the_door(order) and order.financial_status in (None, "pending"),
        incoterm=shipping_pb2.INCOTERM_DDP if selling.pays_duty(order) else shipping_pb2.INCOTERM_UNSPECIFIED,
        tags=[shown] if shown.isprintable() and 0 < len(shown) <= 50 else [],
        language=_language(order),
    )
    word = selling.payment_word(order)
    if not request.payments:
        request.payment = word
    return request


def _language(order: ShopifyOrder) -> str:
    """Of the checkout, such as en or zh-CN."""
    locale = reading.first(order.customer_locale)
    known = len(locale) <= 10 and locale.replace("-", "").isascii() and locale.replace("-", "").isalpha()
    return locale if known and len(locale.partition("-")[0]) == 2 else ""


def _goes_to(order: ShopifyOrder) -> ShopifyPlace:
    return order.shipping_address or ShopifyPlace()


def _customer(order: ShopifyOrder) -> orders_pb2.Customer:
    """Who receives it; whoever gave only a phone number is reached by that."""
    ship, bill, account = order.shipping_address, order.billing_address, order.customer
    return orders_pb2.Customer(
        name=reading.first(
            ship.full_name if ship else "",
            bill.full_name if bill else "",
            " ".join(reading.lines(account.first_name, account.last_name)) if account else "",
        )[:1000],
        email=reading.first(order.email, account.email if account else "")[:1000],
        phone=reading.first(
            *(ship.phone if ship else "", order.phone, bill.phone if bill else ""), account.phone if account else ""
        )[:1000],
    )


def _address(place: ShopifyPlace) -> orders_pb2.Address:
    company = place.company if place.full_name != reading.first(place.company) else ""
    return orders_pb2.Address(
        lines=list(reading.lines(company, place.address1, place.address2)),
        city=reading.first(place.city),
        region=reading.first(place.province_code, place.province),
        postal_code=reading.first(place.zip)[:20],
        country=reading.first(place.country_code).upper(),
    )


# --- changing -------------------------------------------------------------------------------------


class _Change:
    """What has changed of an order that the ledger has."""

    def __init__(
        self,
        order: ShopifyOrder,
        before: ShopifyOrder | None,
        there: orders_pb2.Order,
        modified: datetime,
        known: KnownNow,
    ) -> None:
        self._order = order
        self._before = before
        self._there = there
        self._modified = modified
        self._known = known
        self._currency = reading.currency(order.currency, "currency")
        self.problems: list[str] = []
        """What a person has to look at."""
        if there.currency and there.currency != self._currency:
            raise NotUnderstood("currency: another one than the order was placed in")

    def commands(self) -> Iterator[WantedCommand]:
        """Money first, because an edit may be paid for; then what was sent; a cancel last."""
        yield from self._payments()
        is_over = self._there.status in ENDED
        if not self._order.cancelled_at and not is_over:
            yield from self._amendment()
            yield from self._address()
        sent = parcels.of_parcels(self._order, self._before, self._there, self._known)
        self.problems += sent.problems
        yield from sent.wanted
        if self._order.cancelled_at and not is_over:
            yield self._cancel(self._order.cancelled_at)

    def _cancel(self, cancelled_at: str) -> WantedCommand:
        reason = reading.first(self._order.cancel_reason)
        request = orders_pb2.CancelOrderRequest(
            order_id=self._there.order_id, by=_BY.get(reason, common_pb2.PARTY_RETAILER), reason=reason[:100]
        )
        request.at.CopyFrom(reading.stamp(min(required_at(cancelled_at, "cancelled_at"), self._modified)))
        return _wanted(request, self._order, "/cancel", self._modified, *_CANCELLED)

    def _payments(self) -> Iterator[WantedCommand]:
        """What came in and went back since; what is known stays as it was told."""
        order, there = self._order, self._there
        known = {(int(each.kind), each.payment_id): each.amount.amount_minor for each in there.payments}
        word = selling.payment_word(order)
        moved = selling.payments(order, self._currency, known)
        request = orders_pb2.RecordPaymentRequest(order_id=there.order_id, payments=moved)
        # That nothing has come yet is no news: of money at the door others may know more.
        if not moved and not known and word not in (there.payment, orders_pb2.PAYMENT_STATE_PENDING):
            request.payment = word
        if moved or request.payment:
            request.at.CopyFrom(reading.stamp(self._modified))
            yield _wanted(request, order, "/payment", self._modified)
        told = {each.id for each in self._before.refunds if _is_through(each)} if self._before is not None else set()
        paid = (_granted_paid(each, there) for each in order.refunds if each.id not in told)
        yield from (each for each in paid if each is not None)

    def _amendment(self) -> Iterator[WantedCommand]:
        """Lines and charges as they are to be now, where the shop has changed them."""
        known = known_lines(self._there)
        gone = {int(line.line_id): line.gone for line in known if line.line_id.isdigit()}
        count = selling.wanted(self._order, gone)
        numbers = self._numbers()
        charges = selling.charges(self._order, self._currency, count)
        lines = {line.line_no: line for line in selling.lines(self._order, self._currency, count, numbers)}
        if self._before is not None:
            counted = selling.wanted(self._before, gone)
            were = {line.line_no: line for line in selling.lines(self._before, self._currency, counted, numbers)}
            if were == lines and selling.charges(self._before, self._currency, counted) == charges:
                return
            self._keep_others(lines, were, known)
        if is_as_known(self._there, lines.values(), charges):
            return
        request = orders_pb2.AmendOrderRequest(
            order_id=self._there.order_id,
            lines=[lines[number] for number in sorted(lines)],
            charges=charges,
            by=common_pb2.PARTY_CUSTOMER,
            reason=_AMENDED,
        )
        request.at.CopyFrom(reading.stamp(self._modified))
        yield _wanted(request, self._order, "/lines", self._modified)

    def _keep_others(
        self, lines: dict[int, orders_pb2.OrderLine], were: Mapping[int, orders_pb2.OrderLine], known: list[KnownLine]
    ) -> None:
        """Lines that the shop did not touch stay as the ledger has them, whatever was cancelled of them here."""
        for each in known:
            line = lines.get(each.line_no)
            if line is None or were.get(each.line_no) != line or each.wanted == line.quantity:
                continue
            if each.wanted:
                line.quantity, line.total_minor = each.wanted, each.wanted_minor
                line.unit_price_minor = each.wanted_minor // each.wanted
            else:
                del lines[each.line_no]

    def _numbers(self) -> dict[int, int]:
        goods = self._order.goods
        numbers = line_numbers(self._there, [(str(item.id), reading.first(item.sku)) for item in goods])
        return {item.id: number for item, number in zip(goods, numbers, strict=True)}

    def _address(self) -> Iterator[WantedCommand]:
        """Where it goes now, if that differs from what was told before."""
        order, before = self._order, self._before
        now = (_customer(order), _address(_goes_to(order)))
        if not now[1].country:
            return
        told = (_customer(before), _address(_goes_to(before))) if before is not None else None
        if (request := address_change(self._there, told, now, self._modified)) is not None:
            yield _wanted(request, order, "/address", self._modified)
