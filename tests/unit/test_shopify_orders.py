"""What orders of Shopify mean: each odd kind, and what differs from before."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.edges.meaning import KnownNow
from fulfilment.v1 import orders_pb2, parcels_pb2, shipping_pb2, supplier_orders_pb2
from tests.support.shopify_orders import (
    at_minute,
    fulfilment,
    knowing,
    known,
    line,
    money,
    place,
    placed,
    refund,
    shopify_order,
)
from tests.support.shopify_payloads import became, in_short, requests

ORDER = shopify_order(7)
CUP = ORDER["line_items"][0]
SHIPMENT = [
    supplier_orders_pb2.Shipment(supplier_order_id="main/7/1", carrier="ups", tracking_number="1Z999"),
]


def changed(minute: int = 5, **changes):
    """What becomes of an edit of the order."""
    return in_short("orders/updated", at_minute(ORDER, minute, **changes), knowing(known(ORDER), ORDER))


# --- placing --------------------------------------------------------------------------------------


def test_an_order_is_placed_with_its_lines_money_and_place():
    request = placed(ORDER)
    assert (request.channel, request.channel_order_id, list(request.tags)) == ("main", "7", ["#7"])
    assert [(each.sku, each.quantity, each.total_minor, each.channel_line_id) for each in request.lines] == [
        ("cup", 2, 1980, "71")
    ]
    assert [(each.charge_id, each.amount_minor) for each in request.charges] == [("shipping-79", 490)]
    assert [(each.payment_id, each.amount.amount_minor, each.method) for each in request.payments] == [
        ("received-2470", 2470, "shopify_payments")
    ]
    assert (request.customer.name, request.customer.email) == ("Ann Example", "ann@example.org")
    assert (list(request.ship_to.lines), request.ship_to.country) == (["1 Elm Street"], "DE")
    assert request.language == "de-DE"


@pytest.mark.parametrize(
    ("changes", "became_of_it"),
    [
        ({"test": True}, "ignored: it is a test order: nobody has bought anything"),
        ({"cancelled_at": "2026-01-05T11:00:00+01:00"}, "ignored: it was cancelled before anything was to be sent"),
        (
            {"line_items": [line(1, "", 1, "50.00", gift_card=True, requires_shipping=False)]},
            "ignored: nothing of it is sent: gift cards, downloads, tips",
        ),
        (
            {"source_name": "pos", "shipping_lines": [], "shipping_address": None},
            "ignored: it was sold over the counter",
        ),
        ({"source_name": "pos"}, "placed 7: 2 units, 2470 EUR, received-2470=2470"),
        ({"source_name": "shopify_draft_order"}, "placed 7: 2 units, 2470 EUR, received-2470=2470"),
        ({"fulfillment_status": "fulfilled"}, "ignored: all of it was sent before the ledger knew it"),
        ({"financial_status": "authorized"}, "placed 7: 2 units, 2470 EUR, authorised"),
        ({"financial_status": None}, "placed 7: 2 units, 2470 EUR, pending"),
        ({"financial_status": "voided"}, "placed 7: 2 units, 2470 EUR, failed"),
        (
            {"financial_status": "partially_paid", "total_outstanding": "14.70"},
            "placed 7: 2 units, 2470 EUR, received-1000=1000",
        ),
        (
            {"financial_status": "escrowed"},
            "not understood: financial_status: a word of which it is not known what it means",
        ),
        ({"currency": "ZZZ"}, "not understood: currency: no ISO 4217 code of a currency"),
        ({"updated_at": None}, "not understood: updated_at: is missing"),
        ({"updated_at": "soon"}, "not understood: updated_at: no time in ISO 8601"),
        (
            {"current_total_price": "3.00", "current_total_price_set": money("3.00")},
            "not understood: total_price: less than what its lines cost after discounts",
        ),
        (
            {"line_items": [line(1, "free", 1, "0.00")], "shipping_lines": []},
            "placed 7: 1 units, 0 EUR, paid",
        ),
        ({"line_items": [line(1, "", 1, "5.00")]}, "placed 7: 1 units, 990 EUR, received-990=990"),
        ({"shipping_address": None}, "placed 7: 2 units, 2470 EUR, received-2470=2470"),
    ],
)
def test_an_odd_order_becomes(changes, became_of_it):
    assert in_short("orders/create", shopify_order(7, **changes)) == became_of_it


def test_a_customer_with_a_phone_alone_is_reached_by_it():
    request = placed(shopify_order(7, email=None, customer=None, billing_address=None, phone="+49 170 1234567"))
    assert (request.customer.email, request.customer.phone) == ("", "+49 30 123456")
    request = placed(shopify_order(7, email=None, shipping_address=place(phone=None), phone="+49 170 1234567"))
    assert request.customer.phone == "+49 170 1234567"


def test_what_is_sold_and_not_sent_is_paid_for_beside_the_lines():
    lines = [line(1, "cup", 1, "10.00"), line(2, "", 1, "2.00", title="Tip", requires_shipping=False)]
    request = placed(shopify_order(7, line_items=lines))
    assert [each.sku for each in request.lines] == ["cup"]
    assert {each.charge_id: each.amount_minor for each in request.charges} == {"shipping-79": 490, "line-2": 200}


def test_tax_that_the_prices_do_not_contain_is_a_charge_and_duty_makes_the_seller_owe_it():
    taxed = line(1, "cup", 2, "10.00", tax_lines=[{"price": "1.60", "price_set": money("1.60")}])
    changes = {
        "taxes_included": False,
        "current_total_duties_set": money("3.00"),
        "current_total_price": "29.50",
        "current_total_price_set": money("29.50"),
    }
    request = placed(shopify_order(7, line_items=[taxed], **changes))
    assert {each.charge_id: each.amount_minor for each in request.charges} == {
        "shipping-79": 490,
        "tax": 160,
        "duty": 300,
    }
    assert request.incoterm == shipping_pb2.INCOTERM_DDP


def test_discounts_fall_on_lines_and_what_the_total_rounds_is_told_apart():
    cheap = line(1, "cup", 3, "10.00", discount_allocations=[{"amount": "5.00", "amount_set": money("5.00")}])
    changes = {"current_total_price": "29.85", "current_total_price_set": money("29.85")}
    request = placed(shopify_order(7, line_items=[cheap], **changes))
    assert [(each.total_minor, each.unit_price_minor) for each in request.lines] == [(2500, 833)]
    assert [(each.charge_id, each.amount_minor) for each in request.charges] == [("shipping-79", 490), ("rest", -5)]


def test_an_order_in_another_currency_is_booked_in_that_of_the_shop():
    total = money("24.70", customers=("26.68", "USD"))
    order = shopify_order(7, presentment_currency="USD", total_price_set=total, current_total_price_set=total)
    order["refunds"] = [refund(3, 7, "13.34", currency="USD")]
    order |= {"financial_status": "partially_refunded", "total_outstanding": "12.35"}
    assert in_short("orders/create", order) == ("placed 7: 2 units, 2470 EUR, received-2470=2470 refund-30=1235")


def test_cash_on_delivery_is_collected_at_the_door():
    names = ["Cash on Delivery (COD)"]
    request = placed(shopify_order(7, financial_status="pending", payment_gateway_names=names))
    assert request.cash_on_delivery
    assert not placed(shopify_order(7, payment_gateway_names=names)).cash_on_delivery


def test_of_an_order_that_others_have_begun_to_send_nothing_goes_out_before_somebody_has_looked():
    order = shopify_order(7, fulfillments=[fulfilment(5, 7, [(71, 1)])])
    assert in_short("orders/create", order).endswith("held: other by shopify")


# --- changing -------------------------------------------------------------------------------------


def test_the_same_again_changes_nothing():
    assert changed() == "ignored: nothing that the ledger keeps has changed"


def test_an_edit_is_an_amendment_of_what_the_shop_changed():
    assert changed(
        line_items=[{**CUP, "current_quantity": 1}, line(72, "plate", 3, "7.00")],
        current_total_price_set=money("35.80"),
        current_total_price="35.80",
    ) == ("paid: received-3580=1110, amended: 1x1 2x3 shipping-79=490")


def test_lines_that_the_shop_did_not_touch_stay_as_the_ledger_has_them():
    order = shopify_order(7, line_items=[line(71, "cup", 2), line(72, "plate", 2)])
    there = known(order)
    there.lines[1].wanted, there.lines[1].wanted_minor = 1, 1000  # one was cancelled here
    edited = at_minute(order, 5, line_items=[line(71, "cup", 2, current_quantity=1), line(72, "plate", 2)])
    edited |= {"current_total_price": "34.90", "current_total_price_set": money("34.90")}
    found = in_short("orders/updated", edited, knowing(there, order))
    assert found == "amended: 1x1 2x1 shipping-79=490"


def test_what_the_shop_took_away_because_it_was_told_to_is_no_news():
    there = known(ORDER)
    there.lines[0].wanted, there.lines[0].wanted_minor = 1, 990
    fewer = {"line_items": [{**CUP, "current_quantity": 1}], "current_total_price": "14.80"}
    edited = at_minute(ORDER, 5, current_total_price_set=money("14.80"), **fewer)
    found = in_short("orders/updated", edited, knowing(there, ORDER))
    assert found == "ignored: nothing that the ledger keeps has changed"


def test_money_that_went_back_for_units_that_had_left_takes_no_unit_away():
    there = known(ORDER)
    there.lines[0].units.assigned, there.lines[0].units.delivered = 0, 2
    back: dict[str, Any] = {
        "refunds": [refund(3, 7, "9.90", [(71, 1, "return")])],
        "line_items": [{**CUP, "current_quantity": 1}],
        "financial_status": "partially_refunded",
        "current_total_price": "14.80",
        "current_total_price_set": money("14.80"),
    }
    found = in_short("orders/updated", at_minute(ORDER, 5, **back), knowing(there, ORDER))
    assert found == "paid: refund-30=990"


def test_a_refund_of_units_that_have_not_left_takes_them_away():
    back: dict[str, Any] = {
        "refunds": [refund(3, 7, "9.90", [(71, 1, "cancel")])],
        "line_items": [{**CUP, "current_quantity": 1}],
        "financial_status": "partially_refunded",
        "current_total_price": "14.80",
        "current_total_price_set": money("14.80"),
    }
    assert changed(**back) == "paid: refund-30=990, amended: 1x1 shipping-79=490"


def test_a_refund_that_is_not_through_yet_is_no_money():
    body = refund(3, 7, "9.90", status="pending")
    found = in_short("refunds/create", body, knowing(known(ORDER), ORDER))
    assert found == "ignored: no money went back by it that is not known"
    found = in_short("refunds/create", refund(3, 7, "9.90"), knowing(known(ORDER), ORDER))
    assert found == "paid: refund-30=990"


def test_a_refund_that_was_granted_here_and_paid_in_the_shop_is_that_of_its_case():
    body = {**refund(3, 7, "9.90"), "note": "Refund C-1/R-2 of the fulfilment ledger"}
    (paid,) = requests(became("refunds/create", body, knowing(known(ORDER), ORDER)))
    assert (paid.case_id, paid.refund_id, paid.reference) == ("C-1", "R-2", "3")
    assert changed(refunds=[body], financial_status="partially_refunded") == "RecordRefundPaid"
    told = {**ORDER, "refunds": [body]}
    again = in_short("orders/updated", at_minute(ORDER, 6, refunds=[body]), knowing(known(ORDER), told))
    assert again == "ignored: nothing that the ledger keeps has changed"
    waits = {**body, "transactions": [{**body["transactions"][0], "status": "pending"}]}
    assert in_short("refunds/create", waits, knowing(known(ORDER), ORDER)).startswith("ignored")


def test_what_is_paid_later_and_what_fails_is_told():
    pending = shopify_order(7, financial_status="pending", total_outstanding="24.70")
    there = knowing(known(pending), pending)
    assert in_short("orders/paid", at_minute(ORDER, 5), there) == "paid: received-2470=2470"
    voided = at_minute(pending, 5, financial_status="voided")
    assert in_short("orders/updated", voided, there) == "paid: failed"


def test_another_address_is_told_and_the_same_is_not():
    assert changed(shipping_address=place(city="Bonn", zip="53111")) == "sent to Bonn"
    assert changed(customer={**ORDER["customer"], "phone": "1"}) == "ignored: nothing that the ledger keeps has changed"


@pytest.mark.parametrize(("reason", "by"), [("customer", "customer"), ("inventory", "retailer"), (None, "retailer")])
def test_a_cancelled_order_is_cancelled(reason, by):
    found = changed(cancelled_at="2026-01-05T11:00:00+01:00", cancel_reason=reason)
    assert found == f"cancelled: {reason or ''} by {by}"


def test_a_deleted_order_is_cancelled_once():
    assert in_short("orders/delete", {"id": 7}, knowing(known(ORDER))) == "cancelled: deleted by retailer"
    over = known(ORDER)
    over.status = orders_pb2.ORDER_STATUS_CANCELLED
    assert in_short("orders/delete", {"id": 7}, knowing(over)).startswith("ignored")


# --- sent by others ---------------------------------------------------------------------------------


def test_a_parcel_that_others_sent_left_its_supplier():
    body = fulfilment(5, 7, [(71, 2)])
    found = in_short("fulfillments/create", body, knowing(known(ORDER), ORDER))
    assert found == "shipped by main/7/1: 1x2 as ups 1Z999"
    found = in_short("orders/updated", at_minute(ORDER, 5, fulfillments=[body]), knowing(known(ORDER), ORDER))
    assert found == "shipped by main/7/1: 1x2 as ups 1Z999"


def test_a_parcel_that_the_ledger_told_the_shop_of_is_no_news():
    there = known(ORDER, shipments=SHIPMENT)
    found = in_short("fulfillments/create", fulfilment(5, 7, [(71, 2)]), knowing(there, ORDER))
    assert found == "ignored: the ledger knows it, or it did not happen"


@pytest.mark.parametrize(
    ("at_supplier", "tracking", "reason"),
    [(True, None, "without a tracking number"), (False, "1Z999", "with 2 units that no supplier is to send")],
)
def test_what_others_sent_and_the_ledger_cannot_place_is_held_and_shown(at_supplier, tracking, reason):
    there = known(ORDER, at_supplier=at_supplier)
    body = fulfilment(5, 7, [(71, 2)], tracking)
    found = in_short("fulfillments/create", body, knowing(there, ORDER))
    assert found == (
        f"held: other by shopify, look: fulfilment 5 was made in the shop by others, {reason}: look what has left"
    )
    told = {**ORDER, "fulfillments": [body]}
    assert in_short("fulfillments/update", body, knowing(there, told)).startswith("ignored")


def test_another_tracking_number_of_the_same_parcel_is_a_correction():
    there = known(ORDER, shipments=SHIPMENT)
    told = {**ORDER, "fulfillments": [fulfilment(5, 7, [(71, 2)])]}
    body = fulfilment(5, 7, [(71, 2)], "JD014600006281230704", tracking_company="DHL Express")
    found = in_short("fulfillments/update", body, knowing(there, told))
    assert found == "corrected to dhl JD014600006281230704"


def test_what_the_shop_tells_late_of_what_it_was_told_is_no_news():
    ours = "gid://shopify/Fulfillment/5 gid://shopify/Fulfillment/6"
    body = fulfilment(5, 7, [(71, 2)])  # the ledger has taken that parcel back meanwhile
    for topic, told in (("fulfillments/create", body), ("orders/updated", at_minute(ORDER, 5, fulfillments=[body]))):
        assert in_short(topic, told, knowing(known(ORDER), ORDER, ours)).startswith("ignored")
    void = parcels_pb2.Parcel(carrier="ups", tracking_number="1Z999", status=parcels_pb2.PARCEL_STATUS_VOID)
    there_once = KnownNow({"order main/7": known(ORDER), "parcel ups/1Z999": void}, complete=True)
    assert in_short("fulfillments/create", body, there_once).startswith("ignored")
    there = known(ORDER, shipments=SHIPMENT)
    newer = {**ORDER, "fulfillments": [fulfilment(5, 7, [(71, 2)], updated_at="2026-01-06T10:05:00+01:00")]}
    late = fulfilment(5, 7, [(71, 2)], "1Z000")
    assert in_short("fulfillments/create", late, knowing(there, newer)).startswith("ignored")


def test_a_parcel_that_the_shop_takes_back_is_shown_to_a_person():
    there = known(ORDER, shipments=SHIPMENT)
    body = fulfilment(5, 7, [(71, 2)], status="cancelled")
    found = in_short("fulfillments/update", body, knowing(there, ORDER))
    assert found == "look: fulfilment 5 was cancelled in the shop; if its parcel has not left, void it here"
