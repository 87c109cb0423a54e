"""Erasing a person: by an e-mail address, a phone number or an order, everything that is about its orders."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from fulfilment.v1 import admin_pb2, audit_pb2, cases_pb2, finding_pb2, orders_pb2, remarks_pb2
from tests.support.case_client import Work
from tests.support.service import Client, Service, context, reason_of, refused


def customer(name: str, **more: str) -> dict[str, Any]:
    return {"customer": orders_pb2.Customer(name=name, **more)}


def erase(client: Client, **known_by: str) -> int:
    return client.admin.ErasePerson(admin_pb2.ErasePersonRequest(**known_by)).keys_destroyed


def note(client: Client, order_id: str) -> None:
    client.orders.AddOrderNote(remarks_pb2.AddOrderNoteRequest(context=context(), order_id=order_id, note="rang"))


def shown(client: Client, order_id: str) -> tuple[str, list[str]]:
    """The customer's name and the notes, as far as they can be read."""
    order = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)).order
    return order.customer.name, [each.note for each in order.notes]


def facts(client: Client, order_id: str) -> list[str]:
    request = audit_pb2.GetHistoryRequest(order_id=order_id)
    return [each.name for each in client.audit.GetHistory(request).facts]


@pytest.mark.parametrize(
    ("by", "value"), [("email", " UNA.email@Example.org "), ("phone", "0049 30 55505"), ("order_id", "shop/order_id-1")]
)
def test_all_orders_of_a_person_are_erased_and_say_so(client: Client, by: str, value: str):
    una = customer("Una", email=f"una.{by}@example.org", phone=f"+49 30 5550{len(by)}")
    one, two, other = (f"shop/{by}-{each}" for each in ("1", "2", "3"))
    for order_id in (one, two):
        client.place(order_id.removeprefix("shop/"), **una)
        note(client, order_id)
    client.place(f"{by}-3", **customer("Vic", email=f"vic.{by}@example.org"))
    assert erase(client, **{by: value}) == 4
    assert [shown(client, each) for each in (one, two, other)] == [("", [""]), ("", [""]), ("Vic", [])]
    assert [facts(client, each)[-1] for each in (one, two)] == ["order.person_erased"] * 2
    assert "order.person_erased" not in facts(client, other)
    again = admin_pb2.ErasePersonRequest(**{by: value})
    assert reason_of(refused(client.admin.ErasePerson, again)) == "UNKNOWN_PERSON"


def test_what_is_written_after_the_erasure_can_be_read_and_be_erased_again(client: Client):
    client.place("wim", **customer("Wim", email="wim@example.org"))
    erase(client, email="wim@example.org")
    note(client, "shop/wim")
    assert shown(client, "shop/wim") == ("", ["rang"])
    assert erase(client, order_id="shop/wim") == 1
    assert shown(client, "shop/wim") == ("", [""])


def test_the_order_that_sends_goods_once_more_is_erased_with_the_first_one(client: Client):
    work = Work(client, "xia", customer=customer("Xia", email="xia@example.org")["customer"])
    work.opens()
    work.rules(cases_pb2.REMEDY_RESHIP)
    (reship,) = (each.order_id for each in work.case().reships)
    note(client, reship)
    assert shown(client, reship) == ("Xia", ["rang"])
    assert erase(client, email="xia@example.org") == 5, "customer, note of the case, evidence, ruling, note"
    assert shown(client, reship) == ("", [""])
    assert work.case(with_personal_data=True).note == ""
    assert facts(client, reship)[-1] == "order.person_erased"


def test_no_fact_links_two_orders_of_one_person(client: Client, service: Service):
    for number in ("yann-1", "yann-2"):
        client.place(number, **customer("Yann", email="yann@example.org", phone="+33 1 555"))
        note(client, f"shop/{number}")
    told = (
        "SELECT string_agg(convert_from(state, 'UTF8'), ' ') FROM tenant_default.ledger_events WHERE originator_id = %s"
    )
    with psycopg.connect(service.dsn) as connection:
        texts = [connection.execute(told, (f"order-shop/{each}",)).fetchone() for each in ("yann-1", "yann-2")]
    one, other = ({*re.findall(r"[0-9a-f]{16,}|person-", str(text))} for text in texts)
    assert len(one) > 3
    assert len(one & other) <= 1, "the digest of the same note"


def test_who_was_erased_and_orders_again_is_nobody_known(client: Client):
    zoe = customer("Zoe", email="zoe@example.org")
    client.place("zoe-1", **zoe)
    erase(client, email="zoe@example.org")
    receipt = client.place("zoe-2", **zoe)
    client.read_up_to(receipt.position)
    found = client.finding.FindCustomer(finding_pb2.FindCustomerRequest(email="zoe@example.org")).orders
    assert [each.order.order_id for each in found] == ["shop/zoe-2"]
