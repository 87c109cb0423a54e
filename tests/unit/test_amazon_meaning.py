"""What an order of Amazon becomes: placed with Amazon's deadlines, and cancelled as its buyer or Amazon wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.edges.agreement import Account
from adapters.edges.delivery import Received
from adapters.edges.meaning import KnownNow, NotUnderstood, Understood
from adapters.edges.systems import SYSTEMS
from fulfilment.v1 import common_pb2, order_money_pb2
from fulfilment.v1 import orders_pb2 as pb
from tests.support.amazon_orders import SELLER, amazon_item, amazon_order, money, notification, purchase_order

ORDER = "302-1234567-7654321"
ACCOUNT = Account("main", {"marketplaces": "A1PA6795UKMFR9", "seller": SELLER, "client": "c"}, ())


def understood(
    order: dict[str, Any], known: pb.Order | None = None, before: dict[str, Any] | None = None
) -> Understood:
    there = {f"order main/{ORDER}": known, "before ": json.dumps(before).encode() if before else None}
    raw = json.dumps(order).encode()
    return SYSTEMS["amazon"].understand(Received("order", ORDER), raw, ACCOUNT, KnownNow(there, complete=True))


def placed(order: dict[str, Any]) -> pb.PlaceOrderRequest:
    (wanted,) = understood(order).wanted
    assert isinstance(wanted.request, pb.PlaceOrderRequest)
    return wanted.request


def one(found: Understood) -> Any:
    (wanted,) = found.wanted
    return wanted.request


def known(order: dict[str, Any], **wanted: int) -> pb.Order:
    """The order as the ledger shows it after it was placed."""
    request = placed(order)
    lines = [
        pb.OrderLineState(line=line, wanted=units, wanted_minor=line.total_minor, units=pb.Buckets(open=units))
        for line in request.lines
        for units in [wanted.get(line.sku, line.quantity)]
    ]
    return pb.Order(
        order_id=f"main/{ORDER}",
        currency=request.currency,
        lines=lines,
        status=pb.ORDER_STATUS_CONFIRMED,
        ship_to=pb.Address(country="DE"),
    )


def with_status(order: dict[str, Any], status: str, **more: str) -> dict[str, Any]:
    return {**order, "fulfillment": {**order["fulfillment"], "fulfillmentStatus": status, **more}}


def test_an_order_is_placed_with_its_money_its_people_and_amazons_deadlines():
    request = placed(amazon_order(ORDER))
    assert (request.channel, request.channel_order_id, request.currency) == ("main", ORDER, "EUR")
    (line,) = request.lines
    assert (line.sku, line.quantity, line.total_minor, line.channel_line_id) == ("cup", 2, 1980, "i-1")
    assert line.dispatch_by.ToJsonString() == "2026-01-06T22:59:59Z"
    assert request.promised_by.ToJsonString() == "2026-01-08T22:59:59Z"
    assert request.priority == pb.PRIORITY_EXPRESS  # a Prime order keeps to Prime's deadlines
    assert [(each.kind, each.amount_minor) for each in request.charges] == [(order_money_pb2.CHARGE_KIND_SHIPPING, 490)]
    (payment,) = request.payments
    assert (payment.kind, payment.amount.amount_minor) == (order_money_pb2.PAYMENT_KIND_CAPTURED, 2470)
    assert (request.customer.name, request.customer.email) == ("Ann Example", "x1@marketplace.amazon.de")
    assert (list(request.ship_to.lines), request.ship_to.city, request.ship_to.country) == (
        ["1 Elm Street"],
        "Berlin",
        "DE",
    )
    assert list(request.tags) == ["prime"]


@pytest.mark.parametrize("status", ["PENDING", "PENDING_AVAILABILITY", "SHIPPED", "CANCELLED"])
def test_what_is_not_to_be_sent_yet_or_any_more_is_not_placed(status):
    found = understood(with_status(amazon_order(ORDER), status))
    assert not found.wanted
    assert found.ignored


def test_a_status_that_is_not_known_is_not_guessed():
    with pytest.raises(NotUnderstood, match="fulfillmentStatus"):
        understood(with_status(amazon_order(ORDER), "UNFULFILLABLE"))


def test_what_amazon_sends_itself_is_ignored():
    found = understood(with_status(amazon_order(ORDER), "UNSHIPPED", fulfilledBy="AMAZON"))
    assert found.ignored == "Amazon sends it from its own warehouses"


def test_of_an_order_that_was_sent_in_part_before_the_rest_is_placed():
    sent = {"quantityFulfilled": 2, "quantityUnfulfilled": 1}
    items = [amazon_item("i-1", "cup", 3, "30.00", fulfillment=sent), amazon_item("i-2", "tea", 1, "5.00")]
    items[1]["fulfillment"] = {"quantityFulfilled": 1, "quantityUnfulfilled": 0}
    request = placed(with_status(amazon_order(ORDER, orderItems=items), "PARTIALLY_SHIPPED"))
    assert [(each.sku, each.quantity, each.total_minor) for each in request.lines] == [("cup", 1, 1000)]
    assert not request.charges
    assert request.payments[0].amount.amount_minor == 1000


def test_a_gift_is_wrapped_and_its_message_is_only_in_the_note():
    packing = {"giftOption": {"giftMessage": "Happy birthday", "giftWrapLevel": "PREMIUM"}}
    item = amazon_item("i-1", "cup", 2, "19.80", fulfillment={"quantityUnfulfilled": 2, "packing": packing})
    request = placed(amazon_order(ORDER, orderItems=[item]))
    assert request.gift
    assert list(request.packing) == ["gift_wrap"]
    assert request.note == "Gift message for cup: Happy birthday"


def test_a_replacement_costs_nothing_and_says_what_it_replaces():
    origin = [{"orderId": "302-1-1", "associationType": "REPLACEMENT_ORIGINAL_ID"}]
    item = {"orderItemId": "i-1", "quantityOrdered": 1, "product": {"sellerSku": "cup"}}
    order = amazon_order(ORDER, associatedOrders=origin, orderItems=[item])
    del order["proceeds"]
    request = placed(order)
    assert (request.currency, request.lines[0].total_minor) == ("EUR", 0)  # its marketplace's
    assert request.payment == pb.PAYMENT_STATE_PAID
    assert "replacement" in request.tags
    assert request.note == "Replaces the order 302-1-1."


def test_cash_on_delivery_is_paid_at_the_door_and_what_has_to_be_kept_to_is_a_tag():
    constraints = {"cashOnDelivery": "MANDATORY", "signatureConfirmation": "MANDATORY"}
    shipping = {"shippingConstraints": constraints, "internationalShipping": {"iossNumber": "IM1"}}
    item = amazon_item("i-1", "cup", 2, "19.80", fulfillment={"shipping": shipping})
    request = placed(amazon_order(ORDER, orderItems=[item]))
    assert request.cash_on_delivery
    assert not request.payments
    assert list(request.tags) == ["prime", "signature-confirmation"]
    assert request.note == "IOSS IM1: the tax is paid."


def test_money_adds_up_to_amazons_total_whatever_it_says_of_its_parts():
    proceeds = {
        "grandTotal": money("20.00"),
        "breakdowns": [
            {"type": "ITEM", "subtotal": money("19.80")},
            {"type": "DISCOUNT", "subtotal": money("2.00")},
            {"type": "DELIVERY_TIP", "status": "PENDING", "subtotal": money("9.00")},
            {"type": "TAX", "subtotal": money("1.70")},
        ],
    }
    request = placed(amazon_order(ORDER, proceeds=proceeds))
    found = {each.charge_id: each.amount_minor for each in request.charges}
    assert found == {"discount": -200, "tax": 170, "rest": 50}
    assert request.payments[0].amount.amount_minor == 2000


def test_an_amount_in_another_currency_than_the_order_is_not_understood():
    other = {
        "grandTotal": money("20.00"),
        "breakdowns": [{"type": "TAX", "subtotal": {"amount": "1", "currencyCode": "USD"}}],
    }
    with pytest.raises(NotUnderstood, match="another currency"):
        understood(amazon_order(ORDER, proceeds=other))


# --- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "party"),
    [
        ("BUYER", common_pb2.PARTY_CUSTOMER),
        ("MERCHANT", common_pb2.PARTY_RETAILER),
        ("AMAZON", common_pb2.PARTY_RETAILER),
    ],
)
def test_a_cancelled_order_is_cancelled_on_whose_wish_it_was(by, party):
    order = amazon_order(ORDER)
    item = {**order["orderItems"][0], "cancellation": {"cancellationExecution": {"cancelledBy": by}}}
    request = one(understood(with_status({**order, "orderItems": [item]}, "CANCELLED"), known(order), order))
    assert isinstance(request, pb.CancelOrderRequest)
    assert (request.by, len(request.lines)) == (party, 0)


WISH = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Changed mind"}}


def test_a_buyers_wish_to_cancel_is_asked_for_once():
    first = amazon_order(ORDER)
    wished = {**first, "orderItems": [{**first["orderItems"][0], "cancellation": WISH}]}
    request = one(understood(wished, known(first), first))
    assert isinstance(request, pb.CancelOrderRequest)
    assert (request.by, request.reason, len(request.lines)) == (common_pb2.PARTY_CUSTOMER, "buyer_asked", 0)
    later = {**wished, "lastUpdatedTime": "2026-01-05T11:00:00Z"}
    assert understood(later, known(first), wished).ignored == "nothing that the ledger keeps has changed"


def test_a_wish_for_one_of_several_items_names_its_line():
    first = amazon_order(
        ORDER, orderItems=[amazon_item("i-1", "cup", 2, "19.80"), amazon_item("i-2", "tea", 3, "9.00")]
    )
    wished = {**first, "orderItems": [first["orderItems"][0], {**first["orderItems"][1], "cancellation": WISH}]}
    request = one(understood(wished, known(first), first))
    assert [(each.line_no, each.units) for each in request.lines] == [(2, 3)]


def test_an_order_that_comes_with_a_wish_is_placed_and_then_asked_to_be_cancelled():
    order = amazon_order(ORDER)
    order["orderItems"][0]["cancellation"] = WISH
    names = [type(each.request).__name__ for each in understood(order).wanted]
    assert names == ["PlaceOrderRequest", "CancelOrderRequest"]


def test_an_item_that_was_cancelled_is_taken_from_the_order_and_once_that_is_known_nothing_more():
    first = amazon_order(
        ORDER, orderItems=[amazon_item("i-1", "cup", 2, "19.80"), amazon_item("i-2", "tea", 3, "9.00")]
    )
    cancelled = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    fewer = [{**first["orderItems"][0], "quantityOrdered": 1}, {**first["orderItems"][1], "cancellation": cancelled}]
    request = one(understood({**first, "orderItems": fewer}, known(first), first))
    assert [(each.line_no, each.units) for each in request.lines] == [(1, 1), (2, 3)]
    after = known(first, cup=1)
    del after.lines[1]
    assert understood({**first, "orderItems": fewer}, after, first).ignored


def test_what_the_ledger_has_told_amazon_comes_back_and_changes_nothing():
    first = amazon_order(ORDER)
    sent = [{**first["orderItems"][0], "fulfillment": {"quantityFulfilled": 2, "quantityUnfulfilled": 0}}]
    assert understood(with_status({**first, "orderItems": sent}, "SHIPPED"), known(first), first).ignored


def test_a_wish_comes_too_late_for_what_has_left_and_only_the_rest_is_asked_for():
    first = amazon_order(
        ORDER, orderItems=[amazon_item("i-1", "cup", 2, "19.80"), amazon_item("i-2", "tea", 3, "9.00")]
    )
    wished = {**first, "orderItems": [{**each, "cancellation": WISH} for each in first["orderItems"]]}
    there = known(first)
    there.lines[0].units.CopyFrom(pb.Buckets(shipped=2))
    there.lines[1].units.CopyFrom(pb.Buckets(shipped=1, assigned=2))
    request = one(understood(wished, there, first))
    assert [(each.line_no, each.units) for each in request.lines] == [(2, 2)]


def test_a_bundle_is_cancelled_by_all_of_its_parts():
    first = amazon_order(
        ORDER, orderItems=[amazon_item("i-1", "set", 2, "19.80"), amazon_item("i-2", "tea", 3, "9.00")]
    )
    there = known(first)
    part = there.lines[0]
    for number, sku, units in ((101, "cup", 4), (102, "saucer", 2)):
        line = pb.OrderLine(line_no=number, sku=sku, quantity=2 * units, channel_line_id="i-1")
        made = pb.OrderLineState(line=line, wanted=2 * units, units=pb.Buckets(open=2 * units))
        made.part_of.units = units
        there.lines.append(made)
    there.lines.remove(part)
    fewer = [{**first["orderItems"][0], "quantityOrdered": 1}, first["orderItems"][1]]
    request = one(understood({**first, "orderItems": fewer}, there, first))
    assert [(each.line_no, each.units) for each in request.lines] == [(101, 4), (102, 2)]


def test_what_amazon_shows_no_more_after_it_was_sent_changes_no_address():
    first = amazon_order(ORDER)
    bare = {**first, "recipient": {"deliveryAddress": {"city": "Berlin", "countryCode": "DE"}}}
    assert understood(bare, known(first), first).ignored
    without_phone = {**first["recipient"]["deliveryAddress"], "phone": ""}
    assert understood({**first, "recipient": {"deliveryAddress": without_phone}}, known(first), first).ignored
    moved = {**without_phone, "addressLine1": "2 Oak Street"}
    request = one(understood({**first, "recipient": {"deliveryAddress": moved}}, known(first), first))
    assert (list(request.ship_to.lines), request.customer.phone) == (["2 Oak Street"], "+49 30 123456")


def test_an_address_that_comes_later_is_put_in():
    whole = amazon_order(ORDER)
    bare = {name: value for name, value in whole.items() if name not in ("recipient", "buyer")}
    assert not placed(bare).ship_to.country
    request = one(understood(whole, known(bare), bare))
    assert isinstance(request, pb.ChangeAddressRequest)
    assert (request.customer.name, request.ship_to.city) == ("Ann Example", "Berlin")


def test_an_order_that_is_over_stays_as_it_is():
    there = known(amazon_order(ORDER))
    there.status = pb.ORDER_STATUS_CANCELLED
    assert understood(with_status(amazon_order(ORDER), "CANCELLED"), there).ignored == "the order is over"


# --- notifications --------------------------------------------------------------------------------


def hinted(body: dict[str, Any], before: dict[str, Any] | None = None) -> Understood:
    raw = json.dumps(body).encode()
    there = KnownNow({"before ": json.dumps(before).encode() if before else None}, complete=True)
    system = SYSTEMS["amazon"]
    return system.understand(Received("ORDER_CHANGE", ORDER), raw, ACCOUNT, there)


@pytest.mark.parametrize("camel", [False, True])
@pytest.mark.parametrize("by_bus", [False, True])
def test_a_notification_of_either_spelling_asks_for_the_order(camel, by_bus):
    body = notification(ORDER, "n-1", "2026-01-05T10:00:00Z", camel=camel)
    assert hinted({"detail-type": "ORDER_CHANGE", "detail": body} if by_bus else body).asks == f"main/{ORDER}"


def test_a_notification_of_what_is_known_of_what_amazon_sends_or_of_another_seller_asks_for_nothing():
    body = notification(ORDER, "n-1", "2026-01-05T09:30:00Z")
    assert "known" in hinted(body, amazon_order(ORDER)).ignored
    assert hinted(notification(ORDER, "n-1", "2026-01-05T09:31:00Z"), amazon_order(ORDER)).asks
    assert "own warehouses" in hinted(notification(ORDER, "n-1", "2026-01-05T10:00:00Z", FulfillmentType="AFN")).ignored
    body["Payload"]["OrderChangeNotification"]["SellerId"] = "ANOTHER"
    assert hinted(body).ignored == "it is of another seller"


# --- vendors --------------------------------------------------------------------------------------


def vended(order: dict[str, Any], known: pb.Order | None = None, **settings: str) -> Understood:
    account = Account("main", settings, ())
    there = KnownNow({"order main/2JK3S9VC": known}, complete=True)
    raw = json.dumps(order).encode()
    return SYSTEMS["amazon-vendor"].understand(Received("purchase_order", "2JK3S9VC"), raw, account, there)


def test_a_purchase_order_is_placed_with_net_prices_and_its_deadline():
    request = one(vended(purchase_order("2JK3S9VC")))
    (line,) = request.lines
    assert (line.sku, line.quantity, line.unit_price_minor, line.channel_line_id) == ("cup", 2, 500, "00001")
    assert line.dispatch_by.ToJsonString() == "2026-02-21T00:00:00Z"
    assert (request.ship_to.country, request.customer.phone) == ("US", "+1 408 555 0100")
    assert request.payment == pb.PAYMENT_STATE_PAID
    assert request.note == "Amazon's ship method: UPS_2ND"


def test_a_customer_whom_only_amazons_labels_show_is_left_out_and_the_vendors_contact_is_written_to():
    order = purchase_order("2JK3S9VC")
    hidden = {"name": "xxxxx", "addressLine1": "xxxxx", "city": "xxxxx", "phone": "xxxxx"}
    order["orderDetails"]["shipToParty"] |= hidden
    request = one(vended(order, contact="dropship@example.org"))
    assert (request.customer.name, request.customer.email) == ("", "dropship@example.org")
    assert (list(request.ship_to.lines), request.ship_to.postal_code) == ([], "94086")


def test_a_purchase_order_that_amazon_cancels_is_cancelled_once():
    order = purchase_order("2JK3S9VC", orderStatus="CANCELLED")
    assert vended(order).ignored
    request = one(vended(order, pb.Order(order_id="main/2JK3S9VC", version=3)))
    assert isinstance(request, pb.CancelOrderRequest)
    assert request.by == common_pb2.PARTY_CUSTOMER
    assert vended(order, pb.Order(status=pb.ORDER_STATUS_CANCELLED)).ignored
    assert vended(purchase_order("2JK3S9VC", orderStatus="ACCEPTED"), pb.Order()).ignored
    assert vended(purchase_order("2JK3S9VC", orderStatus="SHIPPED")).ignored
