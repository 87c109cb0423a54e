"""What an order of Shopify sells: lines of goods, what is paid beside them, and what came in and went back.

All is computed from what is wanted now: an edit, or a refund of units that have not left, takes units away; a refund of
units that have left takes nothing away but money, which is told as such.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal

from adapters.edges import reading
from adapters.edges.meaning import NotUnderstood
from adapters.shops.shopify.payloads import (
    ShopifyLine,
    ShopifyOrder,
    ShopifyRefund,
    ShopifyTax,
    ShopifyTransaction,
    at,
    in_shop,
    units,
    whole_minor,
)
from fulfilment.v1 import common_pb2, order_money_pb2, orders_pb2
from ledger.terms.money import minor_digits

LEFT = frozenset({"success", "open", "pending"})
"""States of a fulfilment that left; the others did not happen."""
_MOST_TITLE = 1000
_OTHER, _SHIPPING, _TAX, _DUTY, _DISCOUNT = (
    order_money_pb2.CHARGE_KIND_OTHER,
    order_money_pb2.CHARGE_KIND_SHIPPING,
    order_money_pb2.CHARGE_KIND_TAX,
    order_money_pb2.CHARGE_KIND_DUTY,
    order_money_pb2.CHARGE_KIND_DISCOUNT,
)
_GRANTED = re.compile(r"Refund ([\w.:#+-]{1,100})/([\w.:#+-]{1,100}) of the fulfilment ledger", re.ASCII)
_PAID_BACK = frozenset({"partially_refunded", "refunded"})


def wanted(order: ShopifyOrder, gone: Mapping[int, int]) -> dict[int, int]:
    """Units by line: what is still to be sent and what has left, though it may have been paid back since.

    ``gone`` is what has left by the ledger, which may know more than the shop.
    """
    left = Counter[int]()
    for parcel in order.fulfillments:
        if parcel.status in LEFT:
            left.update({sent.id: sent.quantity for sent in parcel.line_items})
    returned, unsaid, every = Counter[int](), Counter[int](), Counter[int]()
    for each in (line for refund in order.refunds for line in refund.refund_line_items):
        every[each.line_item_id] += each.quantity
        if each.restock_type == "return":
            returned[each.line_item_id] += each.quantity
        elif each.restock_type != "cancel":
            unsaid[each.line_item_id] += each.quantity
    found = {}
    for line in order.line_items:
        now = line.current if line.current_quantity is not None else line.quantity - every[line.id]
        out = max(left[line.id], gone.get(line.id, 0))
        back = returned[line.id] + min(unsaid[line.id], max(0, out - returned[line.id]))
        found[line.id] = units(max(0, min(line.quantity, now + back)), "line_items.current_quantity")
    return found


def _net(line: ShopifyLine) -> Decimal:
    """What all units of a line cost, after every discount, those of the whole order too."""
    units(line.quantity, "line_items.quantity")
    gross = in_shop(line.price_set, line.price) * line.quantity
    return gross - sum((in_shop(each.amount_set, each.amount) for each in line.discount_allocations), Decimal(0))


def _share(whole: Decimal, line: ShopifyLine, count: int) -> Decimal:
    return whole * count / line.quantity if line.quantity else Decimal(0)


def lines(
    order: ShopifyOrder, currency: str, count: Mapping[int, int], numbers: Mapping[int, int]
) -> Iterator[orders_pb2.OrderLine]:
    """What is to be sent, numbered by its place unless a number is known; lines of no unit are left out."""
    for place, line in enumerate(order.goods, 1):
        quantity = count[line.id]
        if not quantity:
            continue
        total = max(0, whole_minor(_share(_net(line), line, quantity), currency, "line_items.price"))
        yield orders_pb2.OrderLine(
            line_no=numbers.get(line.id, place),
            sku=reading.first(line.sku),
            title=_title(line.title, line.variant_title),
            quantity=quantity,
            unit_price_minor=total // quantity,
            total_minor=total,
            channel_line_id=str(line.id),
        )


def _title(*parts: str | None) -> str:
    return " ".join(" - ".join(reading.lines(*parts)).split())[:_MOST_TITLE]


def charges(order: ShopifyOrder, currency: str, count: Mapping[int, int]) -> list[order_money_pb2.Charge]:
    """Carriage, tax, duty, fees, what is sold and not sent; and what the shop's total has beside all that.

    The shop's total is of what is wanted by the shop, without units that have left and were paid back.
    """
    now = {line.id: line.current for line in order.line_items}
    rest = _total(order, currency) - sum(each.amount_minor for each in _charges(order, currency, now))
    rest -= sum(line.total_minor for line in lines(order, currency, now, {}))
    found = list(_charges(order, currency, count))
    found += [_charge("rest", _OTHER, rest, "")] if rest else []
    if sum(each.amount_minor for each in found) < 0:
        raise NotUnderstood("total_price: less than what its lines cost after discounts")
    return found


def _total(order: ShopifyOrder, currency: str) -> int:
    money = order.current_total_price_set or (order.total_price_set if order.current_total_price is None else None)
    plain = order.current_total_price if order.current_total_price is not None else order.total_price
    return whole_minor(in_shop(money, plain), currency, "total_price")


def _charges(order: ShopifyOrder, currency: str, count: Mapping[int, int]) -> Iterator[order_money_pb2.Charge]:
    def charge(
        charge_id: str, kind: int, amount: Decimal, field: str, title: str = ""
    ) -> Iterator[order_money_pb2.Charge]:
        if minor := whole_minor(amount, currency, field):
            yield _charge(charge_id, kind, minor, title)

    carriage = [each for each in order.shipping_lines if not each.is_removed]
    for place, each in enumerate(carriage, 1):
        money, plain = each.discounted_price_set or each.price_set, each.discounted_price
        amount = in_shop(money, plain if plain is not None else each.price)
        yield from charge(f"shipping-{each.id or place}", _SHIPPING, amount, "shipping_lines.price", _title(each.title))
    for line in order.line_items:
        if not line.is_sent:
            amount = _share(_net(line), line, count[line.id])
            yield from charge(f"line-{line.id}", _OTHER, amount, "line_items.price", _title(line.title))
    if not order.taxes_included:
        tax = sum((_share(_tax(line.tax_lines), line, count[line.id]) for line in order.line_items), Decimal(0))
        tax += sum((_tax(each.tax_lines) for each in carriage), Decimal(0))
        yield from charge("tax", _TAX, tax, "tax_lines.price")
    if not order.duties_included:
        yield from charge("duty", _DUTY, _duties(order), "current_total_duties_set")
    yield from charge(
        "fees", _OTHER, in_shop(order.current_total_additional_fees_set), "current_total_additional_fees_set"
    )


def _tax(taxes: list[ShopifyTax]) -> Decimal:
    return sum((in_shop(each.price_set, each.price) for each in taxes), Decimal(0))


def _duties(order: ShopifyOrder) -> Decimal:
    return in_shop(order.current_total_duties_set or order.original_total_duties_set)


def pays_duty(order: ShopifyOrder) -> bool:
    """Whether the customer has paid customs duty with the order, so that the seller owes it."""
    return bool(order.duties_included) or _duties(order) > 0


def _charge(charge_id: str, kind: int, amount_minor: int, title: str) -> order_money_pb2.Charge:
    """What takes something off is a discount, whatever the shop calls it."""
    kind = kind if amount_minor > 0 else _DISCOUNT
    return order_money_pb2.Charge(charge_id=charge_id, kind=kind, amount_minor=amount_minor, title=title)  # type: ignore[arg-type]


# --- money ----------------------------------------------------------------------------------------


def payments(order: ShopifyOrder, currency: str, known: Mapping[tuple[int, str], int]) -> list[order_money_pb2.Payment]:
    """What moved of the money and is not known: by kind and id, with the amounts that are.

    Shopify tells in an order how much came in in all. So what came in is known by the sum that it made up.
    """
    by_refund = [(refund, _went_back(refund, order, currency)) for refund in order.refunds]
    paid_back = sum(each.amount.amount_minor for _, payments in by_refund for each in payments)
    # What was granted here and paid in the shop is the refund of a case, and not told as another one.
    moved = [each for refund, payments in by_refund if granted_here(refund) is None for each in payments]
    captured = order_money_pb2.PAYMENT_KIND_CAPTURED
    before = sum(amount for (kind, _), amount in known.items() if kind == captured)
    came_in = _came_in(order, currency, paid_back, before)
    if came_in > before:
        payment = _payment(f"received-{came_in}", captured, came_in - before, currency, order.processed_at)
        payment.method = " ".join(reading.first(*order.payment_gateway_names).split()).lower()[:50]
        moved.insert(0, payment)
    return [each for each in moved if (each.kind, each.payment_id) not in known]


def _came_in(order: ShopifyOrder, currency: str, paid_back: int, before: int) -> int:
    """In all, by the shop's word and figures; a word alone says that all of it came.

    Money that went back for nothing in particular may leave the total as it was: so it is not more than what the order
    cost before anything went back, unless more is known.
    """
    total = _total(order, currency)
    whole = whole_minor(in_shop(order.total_price_set, order.total_price), currency, "total_price")
    if order.financial_status == "paid":
        return max(total, min(total + paid_back, max(whole, before)))
    if order.financial_status not in ("partially_paid", *_PAID_BACK):
        return 0
    if order.total_outstanding is None:
        return whole if order.financial_status in _PAID_BACK else 0
    told = total - whole_minor(order.total_outstanding, currency, "total_outstanding") + paid_back
    return max(paid_back, min(told, max(whole, before)))


def _went_back(refund: ShopifyRefund, order: ShopifyOrder, currency: str) -> list[order_money_pb2.Payment]:
    found = (refund_payment(each, order, currency) for each in refund.transactions)
    return [each for each in found if each is not None]


def note_of(case_id: str, refund_id: str) -> str:
    """What is written beside a refund in the shop that was granted here."""
    return f"Refund {case_id}/{refund_id} of the fulfilment ledger"


def granted_here(refund: ShopifyRefund) -> tuple[str, str] | None:
    """The case and the refund of it, if the ledger asked the shop to pay it and it is paid."""
    found = _GRANTED.fullmatch(refund.note or "")
    return (found[1], found[2]) if found is not None else None


def refund_payment(each: ShopifyTransaction, order: ShopifyOrder, currency: str) -> order_money_pb2.Payment | None:
    """None for what is no refund, or failed, or is not through yet."""
    if each.kind != "refund" or each.status != "success" or not each.amount:
        return None
    amount = each.amount
    if each.currency and each.currency != currency:
        amount = _converted(amount, each.currency, order)
    minor = whole_minor(amount, currency, "transactions.amount")
    kind, when = order_money_pb2.PAYMENT_KIND_REFUNDED, each.processed_at or each.created_at
    return _payment(f"refund-{each.id}", kind, minor, currency, when) if minor else None


def _converted(amount: Decimal, currency: str, order: ShopifyOrder) -> Decimal:
    """From the customer's currency, by the rate at which the shop booked the order."""
    total = order.total_price_set
    if total is None or currency != total.presentment_money.currency_code or not total.presentment_money.amount:
        raise NotUnderstood("transactions.currency: neither the shop's nor the customer's")
    in_currency = amount * total.shop_money.amount / total.presentment_money.amount
    return in_currency.quantize(Decimal(1).scaleb(-minor_digits(total.shop_money.currency_code)), ROUND_HALF_UP)


def _payment(payment_id: str, kind: int, minor: int, currency: str, when: str | None) -> order_money_pb2.Payment:
    amount = common_pb2.Money(amount_minor=minor, currency=currency)
    payment = order_money_pb2.Payment(payment_id=payment_id, kind=kind, amount=amount)  # type: ignore[arg-type]
    if (happened := at(when, "transactions.processed_at")) is not None:
        payment.at.CopyFrom(reading.stamp(happened))
    return payment


_WORDS: Mapping[str, orders_pb2.PaymentState.ValueType] = {
    "pending": orders_pb2.PAYMENT_STATE_PENDING,
    "authorized": orders_pb2.PAYMENT_STATE_AUTHORISED,
    "partially_paid": orders_pb2.PAYMENT_STATE_PARTLY_PAID,
    "paid": orders_pb2.PAYMENT_STATE_PAID,
    "partially_refunded": orders_pb2.PAYMENT_STATE_PARTLY_REFUNDED,
    "refunded": orders_pb2.PAYMENT_STATE_REFUNDED,
    "voided": orders_pb2.PAYMENT_STATE_FAILED,
    "expired": orders_pb2.PAYMENT_STATE_FAILED,
}


def payment_word(order: ShopifyOrder) -> orders_pb2.PaymentState.ValueType:
    """What the shop says of the money, for orders without an amount that moved."""
    word = order.financial_status or "pending"
    if word not in _WORDS:
        raise NotUnderstood("financial_status: a word of which it is not known what it means")
    return _WORDS[word]


def is_at_the_door(order: ShopifyOrder) -> bool:
    """Whether the carrier collects the money: by the name of Shopify's manual method, which shops may change."""
    names = {" ".join(name.lower().replace("_", " ").split()) for name in order.payment_gateway_names}
    return any(name.startswith("cash on delivery") or name == "cod" for name in names)
