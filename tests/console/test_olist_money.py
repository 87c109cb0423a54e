"""The money of Olist's orders: freight and payments as commands, and what they add up to."""

from __future__ import annotations

from pathlib import Path

from fulfilment.v1 import order_money_pb2 as money_pb2
from fulfilment.v1 import orders_pb2
from tests.support.olist import ROWS, at, commands, item, names, payment, reading, small_folder
from tests.support.service import Service
from tests.support.terminal import Console


def test_the_freight_of_all_items_is_one_charge():
    place = commands(reading(order_items=[item(1, freight_value="10.5"), item(2, freight_value="0.25")]))[0]
    (freight,) = place.charges
    assert (freight.charge_id, freight.kind, freight.amount_minor) == ("freight", money_pb2.CHARGE_KIND_SHIPPING, 1075)
    assert not commands(reading(order_items=[item(1, freight_value="0.0")]))[0].charges


CAPTURED, RESERVED = money_pb2.PAYMENT_KIND_CAPTURED, money_pb2.PAYMENT_KIND_AUTHORISED
FAILED = money_pb2.PAYMENT_KIND_FAILED
NOTHING_LEFT = {"order_delivered_carrier_date": "", "order_delivered_customer_date": "", "order_status": "created"}


def test_payments_are_told_with_their_numbers_and_types_and_pay_the_order():
    source = reading(order_payments=[payment(2, "8.9", "voucher"), payment(1, "50")])
    paid = commands(source)[1]

    assert [(each.payment_id, each.kind, each.method, each.amount.amount_minor) for each in paid.payments] == [
        ("2", CAPTURED, "voucher", 890),
        ("1", CAPTURED, "credit_card", 5000),
    ]
    assert (paid.payment, at(paid)) == (orders_pb2.PAYMENT_STATE_UNSPECIFIED, "2018-06-01 14:00")
    assert names(source)[:3] == ["PlaceOrder", "RecordPayment", "SendSupplierOrder"]
    assert not source.oddities["payment_differs"]


def test_an_order_that_was_approved_goes_out_also_where_less_was_paid():
    source = reading(order_payments=[payment(1, "58.89")])
    _, said, paid, *_ = commands(source)

    assert (said.payment, len(said.payments)) == (orders_pb2.PAYMENT_STATE_PAID, 0)
    assert [each.amount.amount_minor for each in paid.payments] == [5889]
    assert source.oddities["payment_differs"] == ["o1"]


def test_what_nobody_approved_is_reserved_and_a_payment_of_nothing_failed():
    source = reading(order_payments=[payment(1, "58.9"), payment(2, "0.0")], order_approved_at="", **NOTHING_LEFT)
    _, paid, _ = commands(source)

    assert [each.kind for each in paid.payments] == [RESERVED, FAILED]
    assert at(paid) == "2018-06-01 13:00"
    assert (source.oddities["payment_not_approved"], source.oddities["payment_of_nothing"]) == (["o1"], ["o1"])


def test_a_folder_without_payments_is_read_as_before_and_gets_them_later():
    without, later = commands(reading()), commands(reading(order_payments=[payment(1, "58.9")]))
    ids = {each.context.request_id for each in without}
    assert [each for each in later if each.context.request_id in ids] == [
        each for each in without if each != without[1]
    ]
    assert without[1].payment == orders_pb2.PAYMENT_STATE_PAID


def test_an_order_whose_payment_lacks_is_named_where_there_are_payments_at_all():
    source = reading(order_payments=[])
    assert commands(source) == commands(reading())
    assert source.oddities["without_payment"] == ["o1"]


def test_a_small_folder_tells_its_money_under_the_same_names(service: Service, tmp_path: Path):
    """Two orders: one that is paid exactly by a card and a voucher, and one of another size that lacks a centavo."""
    terminal = Console(service.address, "money")
    terminal("tenant", "add", "money")
    folder = small_folder(
        tmp_path / "money",
        orders=[ROWS["orders"][0], {**ROWS["orders"][0], "order_id": "o2"}],
        order_items=[item(1, freight_value="11.1"), item(1, order_id="o2", freight_value="0.0")],
        order_payments=[payment(1, "60"), payment(2, "10", "voucher"), payment(1, "58.89", order_id="o2")],
    )
    for _ in range(2):
        assert terminal("import", "olist", str(folder)).code == 0
        assert terminal("report", "money", "--json").json == {
            "goods_minor": 11780,
            "freight_minor": 1110,
            "payments_minor": {"credit_card": 11889, "voucher": 1000},
            "orders_with_payment": 2,
            "orders_paid_exactly": 1,
        }
    (odd,) = terminal("report", "money", "--differences", "--json").json
    assert (odd["order_id"], odd["came_in"]["amount_minor"]) == ("olist/o2", 5889)
    assert "olist/o2  58.90 BRL  58.89 BRL   -0.01 BRL" in terminal("report", "money", "--differences").out


def test_a_folder_without_payments_is_imported_and_gets_them_later(service: Service, tmp_path: Path):
    terminal = Console(service.address, "later")
    terminal("tenant", "add", "later")
    assert terminal("import", "olist", str(small_folder(tmp_path / "without"))).code == 0
    figures = terminal("report", "money", "--json").json
    assert (figures["goods_minor"], figures["payments_minor"], figures["orders_with_payment"]) == (5890, {}, 0)

    result = terminal("import", "olist", str(small_folder(tmp_path / "with", order_payments=[payment(1, "58.9")])))

    assert (result.code, result.err.count("Traceback")) == (0, 0)
    assert terminal("report", "money", "--json").json["payments_minor"] == {"credit_card": 5890}
    assert terminal("report", "summary", "--json").json["delivered_orders"] == 1
