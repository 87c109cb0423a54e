"""The money of an order over a real socket: what it costs, what moved, what is owed and paid back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fulfilment.failures import failure
from fulfilment.v1 import cases_pb2, order_money_pb2, orders_pb2, parcels_pb2
from tests.support.service import Client, Service, fields_of, order, refused, stamp
from tests.support.trading import NOW, Trade, captured, eur, fresh, line, parcel_of, shipping


@pytest.fixture(scope="module")
def trade(service: Service) -> Iterator[Trade]:
    with Client(service.address) as client:
        client.approve()
        yield Trade(client)


def ten_for_three() -> orders_pb2.OrderLine:
    return orders_pb2.OrderLine(sku=fresh(), quantity=3, total_minor=1_000, supplier_id="acme")


def sums(trade: Trade, order_id: str) -> tuple[int, ...]:
    """Total, due, came in, went back, owed."""
    adds_up = trade.client.get(order_id).money
    return tuple(getattr(adds_up, field.name) for field in adds_up.DESCRIPTOR.fields)[:5]


def test_an_order_costs_its_exact_lines_and_its_charges_and_is_paid_by_amounts(trade: Trade):
    spring = order_money_pb2.Charge(
        charge_id="spring", kind=order_money_pb2.CHARGE_KIND_DISCOUNT, amount_minor=-200, title="Spring"
    )
    order_id = trade.unpaid(lines=[ten_for_three()], charges=[shipping(490), spring])
    assert sums(trade, order_id) == (1_290, 1_290, 0, 0, 0)
    trade.send("RecordPayment", order_id=order_id, payment=0, payments=[captured(1_000, method="card")])
    assert trade.client.get(order_id).payment == orders_pb2.PAYMENT_STATE_PARTLY_PAID
    receipt = trade.send("RecordPayment", order_id=order_id, payment=0, payments=[captured(300, payment_id="more")])
    assert list(receipt.warnings) == ["0.10 EUR more came in than the order costs, 12.90 EUR"]
    found = trade.client.get(order_id)
    assert (found.payment, found.HasField("confirmed_at")) == (orders_pb2.PAYMENT_STATE_PAID, True)
    assert [charge.title for charge in found.charges] == ["", "Spring"]
    assert [(each.payment_id, each.method) for each in found.payments] == [("payment-1", "card"), ("more", "")]
    assert found.lines[0].line.total_minor == 1_000


def test_what_is_cancelled_after_it_was_paid_is_owed_and_paid_back_without_a_case(trade: Trade):
    order_id = trade.placed(lines=[ten_for_three()], charges=[shipping(490)])
    trade.send("CancelOrder", order_id=order_id, lines=[line()])
    assert sums(trade, order_id) == (1_490, 1_157, 1_490, 0, 333)
    pay = {"case_id": "", "order_id": order_id}
    trade.send("RecordRefundPaid", **pay, refund_id="re-1", amount=eur(133))
    trade.send("RecordRefundPaid", **pay, refund_id="re-2")
    assert sums(trade, order_id) == (1_490, 1_157, 1_490, 333, 0)
    trade.send("CancelOrder", order_id=order_id)
    assert sums(trade, order_id) == (1_490, 0, 1_490, 333, 1_157)


def test_an_amended_order_answers_the_version_that_it_has_at_its_source(trade: Trade):
    order_id = trade.placed(lines=[ten_for_three()])
    two = orders_pb2.OrderLine(line_no=1, quantity=2, total_minor=700)
    trade.send("AmendOrder", order_id=order_id, lines=[two], version=4)
    late = trade.send("AmendOrder", order_id=order_id, lines=[], version=3)
    assert list(late.warnings) == ["a newer state of the order is known, which stays; this one is only recorded"]
    found = trade.client.get(order_id)
    assert (found.source_version, found.lines[0].wanted) == (4, 2)
    assert sums(trade, order_id) == (700, 700, 1_000, 0, 300)


def test_a_case_refunds_the_shipping_too(trade: Trade):
    case_id = trade.approved(cases_pb2.REMEDY_REFUND, charges=[shipping(490)])
    trade.send(
        "GrantRefund", case_id=case_id, refund_id=case_id, charges=[cases_pb2.ChargeAmount(charge_id="shipping")]
    )
    (refund,) = trade.send("GetCase", case_id=case_id).case.refunds
    assert (refund.amount_minor, len(refund.lines), refund.charges[0].amount_minor) == (490, 0, 490)


def test_what_is_wrong_about_charges_and_payments_is_said_by_field(trade: Trade):
    dear = order_money_pb2.Charge(charge_id="a b", kind=order_money_pb2.CHARGE_KIND_DISCOUNT, amount_minor=1)
    odd = order_money_pb2.Payment(payment_id="p", kind=order_money_pb2.PAYMENT_KIND_CHARGED_BACK, amount=eur(1))
    placing = order(fresh(), charges=[dear, shipping(-1)], payments=[odd, odd, captured(0)])
    fields = fields_of(refused(trade.client.orders.PlaceOrder, placing))
    assert {field for field in fields if field.startswith(("charges", "payments"))} == {
        "charges[0].charge_id",
        "charges[0].amount_minor",
        "charges[1].amount_minor",
        "payments",
        "payments[2].amount.amount_minor",
    }


def test_charges_do_not_make_an_order_cost_less_than_nothing(trade: Trade):
    gift = order_money_pb2.Charge(charge_id="x", kind=order_money_pb2.CHARGE_KIND_DISCOUNT, amount_minor=-1_001)
    refusal = refused(trade.client.orders.PlaceOrder, order(fresh(), lines=[ten_for_three()], charges=[gift]))
    assert failure(refusal).fields == [("charges", "with the lines they come to -1 minor units, less than nothing")]


def test_cash_on_delivery_is_collected_by_parcel_and_has_come_in_once_it_is_delivered(trade: Trade):
    order_id = trade.shipped(
        lines=[ten_for_three()], charges=[shipping(490)], payment=0, cash_on_delivery=True, days_ago=1
    )
    found = trade.client.get(order_id)
    assert (found.payment, found.money.to_collect_minor) == (orders_pb2.PAYMENT_STATE_PENDING, 1_490)
    assert found.supplier_orders[0].to_collect == found.shipments[0].to_collect == eur(1_490)
    assert trade.send("GetParcel", **parcel_of(order_id)).parcel.to_collect == eur(1_490)
    scan = parcels_pb2.Checkpoint(at=stamp(NOW), status=parcels_pb2.PARCEL_STATUS_DELIVERED)
    trade.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=[scan])
    found = trade.client.get(order_id)
    assert (found.payment, found.money.came_in_minor, found.money.to_collect_minor) == (
        orders_pb2.PAYMENT_STATE_PAID,
        1_490,
        0,
    )
