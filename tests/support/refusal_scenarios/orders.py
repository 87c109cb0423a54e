"""What orders are refused for."""

from __future__ import annotations

from typing import Any

from fulfilment.v1 import order_money_pb2, orders_pb2, shipping_pb2, supplier_orders_pb2, suppliers_pb2
from ledger.terms.money import MOST_MINOR
from tests.support.refusal_scenarios.about import (
    Elsewhere,
    Scenarios,
    as_it_is,
    beyond,
    first_that_left,
    ninth_of,
    no_such_supplier_order,
    of_first,
    of_order,
)
from tests.support.service import stamp
from tests.support.trading import (
    DAY,
    NOW,
    Trade,
    answer,
    bought,
    captured,
    eur,
    first_of,
    fresh,
    line,
    number_of,
    parcel_of,
)


def turned_down(trade: Trade) -> str:
    """An order whose supplier rejects it, where nobody else offers the goods."""
    order_id = trade.sent()
    rejected = answer(rejected=1, reason=supplier_orders_pb2.REJECT_REASON_DISCONTINUED)
    trade.send("AcknowledgeSupplierOrder", **first_of(order_id), lines=[rejected])
    return order_id


def sold_elsewhere(trade: Trade) -> str:
    """An order that nothing holds any more, and whose stock is gone."""
    sku = trade.stocked(1)
    order_id = trade.free_to_confirm(sku=sku)
    trade.client.feed(0, sku=sku, version=2)
    return order_id


def of_suspended(trade: Trade) -> str:
    """An order that nothing holds any more, of a supplier that was suspended meanwhile."""
    supplier_id = trade.supplier()
    order_id = trade.free_to_confirm(lines=[bought(supplier_id=supplier_id)])
    trade.send("SuspendSupplier", supplier_id=supplier_id)
    return order_id


def offered_too_dear(trade: Trade) -> str:
    """An order that nothing holds any more, and that its supplier now asks more for than is taken."""
    sku = fresh()
    order_id = trade.free_to_confirm(lines=[bought(sku, 2)])
    offer_too_dear(trade, sku)
    return order_id


def held_as_too_dear(trade: Trade) -> str:
    sku = fresh()
    offer_too_dear(trade, sku)
    return trade.placed(lines=[bought(sku, 2)])


def offer_too_dear(trade: Trade, sku: str) -> None:
    """Two units come to more than is taken."""
    trade.send("OfferSku", supplier_id="acme", offer=suppliers_pb2.Offer(sku=sku, cost=eur(MOST_MINOR)))


def offer(trade: Trade, sku: str, **more: Any) -> None:
    trade.send("OfferSku", supplier_id="acme", offer=suppliers_pb2.Offer(sku=sku, cost=eur(200), **more))


def withdrawn_before(trade: Trade) -> str:
    """An order that is held, because its supplier offers the goods no more."""
    sku = fresh()
    withdraw(trade, sku)
    return trade.placed(lines=[bought(sku)])


def withdrawn_since(trade: Trade) -> str:
    sku = fresh()
    order_id = trade.free_to_confirm(lines=[bought(sku)])
    withdraw(trade, sku)
    return order_id


def withdraw(trade: Trade, sku: str) -> None:
    offer(trade, sku)
    trade.send("WithdrawOffer", supplier_id="acme", sku=sku)


def below_minimum(trade: Trade) -> str:
    """An order that is held, because its supplier takes three units only."""
    sku = fresh()
    offer(trade, sku, minimum_quantity=3)
    return trade.placed(lines=[bought(sku, 2)])


def below_minimum_since(trade: Trade) -> str:
    sku = fresh()
    order_id = trade.free_to_confirm(lines=[bought(sku, 2)])
    offer(trade, sku, minimum_quantity=3)
    return order_id


def not_served(trade: Trade) -> str:
    """An order that is held, because its supplier does not ship to where it goes."""
    return trade.placed(lines=[bought(supplier_id=serving_nobody(trade, trade.supplier()))])


def not_served_since(trade: Trade) -> str:
    supplier_id = trade.supplier()
    order_id = trade.free_to_confirm(lines=[bought(supplier_id=supplier_id)])
    serving_nobody(trade, supplier_id)
    return order_id


def serving_nobody(trade: Trade, supplier_id: str) -> str:
    place = suppliers_pb2.RefusedDestination(country="DE")
    trade.send("RefuseDestination", supplier_id=supplier_id, destination=place)
    return supplier_id


def abroad(trade: Trade) -> str:
    """An order that would cross a border."""
    return trade.placed(lines=[bought(supplier_id=trade.supplier(country="CN"))])


ORDERS: Scenarios = {
    "PlaceOrder": {
        "ORDER_PLACED_DIFFERENTLY": lambda trade: {"channel_order_id": number_of(trade.placed())},
        "OUT_OF_STOCK": lambda trade: {
            "sku": trade.stocked(1),
            "units": 2,
            "stock_policy": orders_pb2.STOCK_POLICY_ALL_OR_NOTHING,
        },
    },
    "CompleteDetails": {
        "UNKNOWN_ORDER": as_it_is,
        "ORDER_IS_CONFIRMED": of_order(Trade.placed),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "TOTAL_TOO_LARGE": of_order(
            lambda trade: trade.placed(lines=[bought(sku="")]),
            lines=[orders_pb2.OrderLine(line_no=2, sku="cup", quantity=1, unit_price_minor=MOST_MINOR)],
        ),
    },
    "RecordPayment": {
        "UNKNOWN_ORDER": as_it_is,
        "ORDER_PAYMENT_DIFFERS": of_order(Trade.captured, payment=0, payments=[captured(1)]),
        "CHARGEBACK_DIFFERS": of_order(
            Trade.charged_back,
            payment=0,
            payments=[captured(1, payment_id="chargeback-1", kind=order_money_pb2.PAYMENT_KIND_CHARGED_BACK)],
        ),
    },
    "PlaceHold": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "NOTHING_TO_SHIP": first_that_left,
    },
    "ReleaseHold": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "UNKNOWN_HOLD": of_order(Trade.placed),
        "UNKNOWN_SUPPLIER": of_order(
            lambda trade: trade.placed(lines=[bought(supplier_id="nobody")]), reason=orders_pb2.HOLD_REASON_OTHER
        ),
        "STILL_INCOMPLETE": of_order(
            lambda trade: trade.placed(lines=[bought(sku="")]), reason=orders_pb2.HOLD_REASON_INCOMPLETE
        ),
        "TOTAL_TOO_LARGE": of_order(held_as_too_dear, reason=orders_pb2.HOLD_REASON_OTHER),
        "NOT_OFFERED_NOW": of_order(withdrawn_before, reason=orders_pb2.HOLD_REASON_OTHER),
        "BELOW_MINIMUM": of_order(below_minimum, reason=orders_pb2.HOLD_REASON_OTHER),
        "DESTINATION_NOT_SERVED": of_order(not_served, reason=orders_pb2.HOLD_REASON_OTHER),
        "OUT_OF_STOCK": of_order(
            lambda trade: trade.placed(sku=trade.stocked(1), units=2), reason=orders_pb2.HOLD_REASON_OUT_OF_STOCK
        ),
        "CUSTOMS_DATA_MISSING": of_order(abroad, reason=orders_pb2.HOLD_REASON_CUSTOMS_DATA),
        "SUPPLIER_NOT_APPROVED": of_order(
            lambda trade: trade.placed(lines=[bought(supplier_id=trade.candidate())]),
            reason=orders_pb2.HOLD_REASON_OTHER,
        ),
        "NO_QUALIFIED_SUPPLIER": of_order(turned_down, reason=orders_pb2.HOLD_REASON_OUT_OF_STOCK),
    },
    "ConfirmOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "ORDER_ON_HOLD": of_order(Trade.unpaid),
        "OUT_OF_STOCK": of_order(sold_elsewhere),
        "SUPPLIER_NOT_APPROVED": of_order(of_suspended),
        "TOTAL_TOO_LARGE": of_order(offered_too_dear),
        "NOT_OFFERED_NOW": of_order(withdrawn_since),
        "BELOW_MINIMUM": of_order(below_minimum_since),
        "DESTINATION_NOT_SERVED": of_order(not_served_since),
        "NOT_CONFIRMABLE": of_order(lambda trade: trade.cancelled(payment=orders_pb2.PAYMENT_STATE_PENDING)),
        "BEFORE_PLACING": of_order(Trade.unpaid, at=stamp(NOW - 195 * DAY)),
    },
    "SendSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "ORDER_ON_HOLD": of_first(lambda trade: trade.held(trade.placed())),
        "NOTHING_TO_SHIP": of_first(Trade.cancelled),
        "BEFORE_PLACING": of_first(Trade.placed, at=stamp(NOW - 195 * DAY)),
        "CUSTOMS_DATA_MISSING": Elsewhere(
            "tests/unit/test_customs.py",
            "test_nothing_is_sent_across_a_border_without_customs_data_even_if_no_hold_stands",
        ),
    },
    "AcknowledgeSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "UNKNOWN_LINE": of_first(Trade.sent, lines=[answer(9, accepted=1)]),
        "NOT_SENT": of_first(Trade.placed),
        "BEFORE_PLACING": of_first(Trade.sent, lines=[answer(accepted=1)], at=stamp(NOW - 195 * DAY)),
        "OVER_ANSWERED": of_first(Trade.sent, lines=[answer(accepted=9)]),
        "UNDER_ANSWERED": of_first(lambda trade: trade.sent(units=2)),
    },
    "PackSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NOT_SENT": of_first(Trade.placed),
        "NOTHING_TO_SHIP": of_first(Trade.shipped),
    },
    "ShipSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "UNKNOWN_LINE": of_first(Trade.sent, lines=[line(9)]),
        "NOTHING_TO_SHIP": of_first(Trade.shipped),
    },
    "CancelOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[line(9)]),
        "CANNOT_CANCEL": of_order(Trade.placed, lines=[line(units=9)]),
        "NOTHING_TO_CANCEL": of_order(Trade.shipped),
        "BEFORE_PLACING": of_order(Trade.placed, at=stamp(NOW - 195 * DAY)),
    },
    "AnswerCancelRequest": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NO_CANCEL_ASKED": of_first(Trade.sent),
        "BEFORE_PLACING": of_first(Trade.sent, at=stamp(NOW - 195 * DAY)),
    },
    "RerouteUnits": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[line(9)]),
        "NO_QUALIFIED_SUPPLIER": of_order(turned_down),
        "CANNOT_REROUTE": of_order(turned_down, lines=[line(units=9)]),
        "NOTHING_TO_REROUTE": of_order(Trade.placed),
        "BEFORE_PLACING": of_order(turned_down, at=stamp(NOW - 195 * DAY)),
    },
    "AmendOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(
            Trade.placed, lines=[orders_pb2.OrderLine(sku="mug", line_no=7, quantity=1, substitute_for=9)]
        ),
        "CANNOT_CANCEL": of_order(Trade.shipped),
        "LINE_IS_OF_ANOTHER_SKU": of_order(Trade.placed, lines=[bought("MUG")]),
        "TOTAL_TOO_LARGE": of_order(
            lambda trade: trade.placed(
                lines=[orders_pb2.OrderLine(sku="cup", quantity=1, supplier_id="acme", declared_value_minor=MOST_MINOR)]
            ),
            lines=[orders_pb2.OrderLine(line_no=1, quantity=2)],
        ),
        "ORDER_CLOSED": of_order(Trade.cancelled, lines=[orders_pb2.OrderLine(line_no=1, quantity=3)]),
    },
    "ChangeAddress": {
        "UNKNOWN_ORDER": as_it_is,
        "ALREADY_PACKED": of_order(Trade.shipped),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "BEFORE_PLACING": of_order(Trade.placed, at=stamp(NOW - 195 * DAY)),
    },
    "RuleDelay": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NO_DELAY": of_first(Trade.sent),
        "BEFORE_PLACING": of_first(Trade.sent, at=stamp(NOW - 195 * DAY)),
    },
    "ConfirmReceipt": {
        "UNKNOWN_ORDER": as_it_is,
        "NOT_DISPATCHED": of_order(Trade.placed),
        "PARCEL_RETURNED": of_order(Trade.came_back),
        "RECEIVED_TOO_EARLY": of_order(Trade.shipped, at=stamp(NOW - 195 * DAY)),
    },
    "RecordReview": {"UNKNOWN_ORDER": as_it_is, "REVIEW_DIFFERS": of_order(Trade.rated, score=1)},
    "RecordChargeback": {"UNKNOWN_ORDER": as_it_is, "CHARGEBACK_DIFFERS": of_order(Trade.charged_back, amount=eur(1))},
    "AddOrderNote": {"UNKNOWN_ORDER": as_it_is},
    "GetTrackingLink": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
    "WithdrawTrackingLink": {"UNKNOWN_ORDER": as_it_is},
    "RenewTrackingLink": {"UNKNOWN_ORDER": as_it_is},
    "TagOrder": {"UNKNOWN_ORDER": as_it_is, "TOO_MANY_TAGS": of_order(Trade.tagged)},
    "CompleteCustomsData": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[shipping_pb2.CustomsLine(line_no=9)]),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "DECLARED_TOTAL_DIFFERS": of_order(Trade.placed, declared_total=eur(1)),
        "TOTAL_TOO_LARGE": of_order(
            lambda trade: trade.placed(units=2),
            lines=[shipping_pb2.CustomsLine(line_no=1, declared_value_minor=MOST_MINOR)],
        ),
    },
    "GetCustoms": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetCommercialInvoice": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NOT_ITS_PARCEL": lambda trade: {**first_of(trade.shipped()), **parcel_of(trade.shipped())},
        "CUSTOMS_DATA_MISSING": of_first(Trade.placed),
        "NOTHING_TO_INVOICE": of_first(Trade.cancelled),
        "BEYOND_THE_LOG": beyond,
    },
    "GetOrder": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
}
