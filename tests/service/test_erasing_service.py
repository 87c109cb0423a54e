"""Erasing a person: by an e-mail address, a phone number or an order, everything that is about its orders."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import psycopg
import pytest

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    cases_pb2,
    common_pb2,
    finding_pb2,
    messages_pb2,
    orders_pb2,
    people_pb2,
    remarks_pb2,
    suppliers_pb2,
)
from tests.support.case_client import Work
from tests.support.service import Client, Service, context, order, reason_of, refused, stamp
from tests.support.terminal import Console
from tests.support.waiting import wait_for


def customer(name: str, **more: str) -> dict[str, Any]:
    return {"customer": orders_pb2.Customer(name=name, **more)}


def asks(even_if_open: bool = True, **known_by: Any) -> admin_pb2.ErasePersonRequest:
    return admin_pb2.ErasePersonRequest(even_if_open=even_if_open, **known_by)


def erase(client: Client, **known_by: Any) -> int:
    return client.admin.ErasePerson(asks(**known_by)).keys_destroyed


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
    again = asks(**{by: value})  # type: ignore[arg-type]
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


# --- as a command ---------------------------------------------------------------------------------


def over(client: Client, number: str, **more: Any) -> str:
    """An order that nothing more is to come of."""
    client.place(number, **more)
    request = orders_pb2.CancelOrderRequest(
        context=context(), order_id=f"shop/{number}", reason="changed my mind", by=common_pb2.PARTY_CUSTOMER
    )
    client.orders.CancelOrder(request)
    return f"shop/{number}"


def asked_by(request_id: str, actor: str = "mia") -> common_pb2.CommandContext:
    return common_pb2.CommandContext(request_id=request_id, actor=actor)


def test_an_erasure_says_how_much_went_and_answers_the_same_again(client: Client):
    order_id = over(client, "abe", **customer("Abe", email="Abe Example <abe@example.org>"))
    note(client, order_id)
    request = asks(False, email="ABE@example.org", asked_by=asked_by("erase-abe"))
    first, again = client.admin.ErasePerson(request), client.admin.ErasePerson(request)
    assert (first.counts.orders, first.counts.notes, first.counts.keys, first.keys_destroyed) == (1, 1, 2, 2)
    assert [first.receipt.outcome, again.receipt.outcome] == [
        common_pb2.Receipt.OUTCOME_APPLIED,
        common_pb2.Receipt.OUTCOME_REPLAYED,
    ]
    assert (again.counts, again.keys_destroyed) == (first.counts, 2)
    fact = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=order_id)).facts[-1]
    assert (fact.name, fact.actor, '"by":"mia"' in fact.json) == ("order.person_erased", "mia", True)


def test_what_was_refused_or_recorded_nothing_tells_no_guess_once_somebody_is_erased(client: Client):
    hal = customer("Hal", email="hal@example.org")
    client.place("hal", **hal, request_id="hal-1")
    client.place("hal", **hal, request_id="hal-again")
    refused(client.orders.PlaceOrder, order("hal", **customer("Hal O.", email="o@example.org"), request_id="hal-2"))

    def answered(request_id: str, email: str) -> str:
        asked = order("hal", **customer("Hal", email=email), request_id=request_id)
        try:
            return str(client.orders.PlaceOrder(asked).outcome)
        except grpc.RpcError as error:
            return reason_of(error)

    assert [answered(each, "wrong@example.org") for each in ("hal-again", "hal-2")] == ["REQUEST_REUSED"] * 2
    erase(client, email="hal@example.org")
    for each in ("hal-1", "hal-again", "hal-2"):
        right, wrong = (answered(each, f"{email}@example.org") for email in ("hal", "wrong"))
        assert right == wrong != "REQUEST_REUSED"


def test_people_are_erased_in_a_batch_and_each_request_is_answered_once(client: Client):
    for number in ("joy", "kim"):
        client.place(number, **customer(number.title(), email=f"{number}@example.org"))
    asked = [asks(email=f"{name}@example.org", asked_by=asked_by(f"erase-{name}")) for name in ("joy", "kim", "nobody")]
    commands = [batch_pb2.BatchCommand(erase_person=each) for each in asked]
    commands.append(batch_pb2.BatchCommand(erase_person=admin_pb2.ErasePersonRequest()))
    first, again = (client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes for _ in "12")
    assert [shown(client, f"shop/{number}")[0] for number in ("joy", "kim")] == ["", ""]
    assert [each.refusal.reason for each in first] == ["", "", "UNKNOWN_PERSON", "MALFORMED"]
    assert [each.receipt.outcome for each in again][:2] == [common_pb2.Receipt.OUTCOME_REPLAYED] * 2
    assert [each.refusal.reason for each in again][2:] == ["UNKNOWN_PERSON", "MALFORMED"]
    for outcome, alone in zip((first[0], first[1], again[0]), (asked[0], asked[1], asked[0]), strict=True):
        counts = people_pb2.ErasedCounts()
        assert outcome.receipt.result.Unpack(counts)
        assert (counts.orders, counts.keys) == (1, 1)
        assert client.admin.ErasePerson(alone).counts == counts, "the same request alone answers the same"


def test_what_was_erased_before_is_not_counted_again(client: Client):
    lea = customer("Lea", email="lea@example.org")
    first_order = over(client, "lea-1", **lea)
    note(client, first_order)
    first = client.admin.ErasePerson(asks(False, email="lea@example.org")).counts
    assert (first.orders, first.notes) == (1, 1)
    second_order = over(client, "lea-2", **lea)
    note(client, second_order)
    second = client.admin.ErasePerson(asks(False, email="lea@example.org")).counts
    assert (second.orders, second.notes, second.keys) == (1, 1, 2)
    note(client, first_order)
    third = client.admin.ErasePerson(asks(False, order_id=first_order)).counts
    assert (third.orders, third.notes, third.keys) == (1, 1, 1)


def test_letters_that_were_handed_over_or_lie_elsewhere_are_counted_and_said(client: Client, service: Service):
    client.place("ivo", **customer("Ivo", email="ivo@example.org"))
    asked = messages_pb2.ListMessagesRequest(order_id="shop/ivo", states=[messages_pb2.MESSAGE_STATE_SENT])
    (sent, *_) = wait_for(lambda: client.messages.ListMessages(asked).messages)
    (service.data / "outbox" / "default" / sent.reference).unlink()
    request = asks(email="ivo@example.org", asked_by=asked_by("erase-ivo"))
    first, again = client.admin.ErasePerson(request), client.admin.ErasePerson(request)
    assert first.counts.letters_elsewhere == again.counts.letters_elsewhere >= 1
    assert any("cannot be taken back" in each for each in first.receipt.warnings)
    assert list(first.receipt.warnings) == list(again.receipt.warnings)


def test_an_order_that_is_not_over_is_named_and_kept_unless_that_is_said(client: Client, service: Service):
    bea = customer("Bea", email="bea@example.org")
    done, running = over(client, "bea-1", **bea), "shop/bea-2"
    client.place("bea-2", **bea)
    answer = client.admin.ErasePerson(asks(False, email="bea@example.org"))
    assert [(each.order_id, each.because) for each in answer.kept] == [(running, people_pb2.KEPT_BECAUSE_OPEN_ORDER)]
    assert list(answer.receipt.warnings) == [f"something was kept: order {running} is not over, and needs its address"]
    assert (shown(client, done)[0], shown(client, running)[0]) == ("", "Bea")
    refusal = refused(client.admin.ErasePerson, asks(False, email="bea@example.org"))
    assert reason_of(refusal) == "PERSON_KEPT"
    assert "ask for it with even_if_open" in str(refusal.details())
    told = Console(service.address)("person", "erase", "--email", "bea@example.org", "--yes")
    assert "ask for it with --even-if-open" in told.err
    assert erase(client, email="bea@example.org") == 1


def test_a_legal_hold_keeps_what_is_held_of_an_order_until_it_ends(client: Client):
    order_id = over(client, "cai", **customer("Cai", email="cai@example.org"))
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    def hold(until: datetime) -> int:
        request = people_pb2.HoldPersonalDataRequest(
            context=context(), order_id=order_id, because="file 7", until=stamp(until)
        )
        return client.admin.HoldPersonalData(request).version

    assert hold(tomorrow) == hold(tomorrow)
    refusal = refused(client.admin.ErasePerson, asks(email="cai@example.org"))
    assert reason_of(refusal) == "PERSON_KEPT"
    assert f"has a legal hold until {tomorrow:%Y-%m-%d}" in str(refusal.details())
    hold(datetime.now(UTC))
    assert erase(client, email="cai@example.org") == 1


def test_a_number_is_found_however_it_was_written_and_not_in_another_country(client: Client):
    berlin = {
        "ship_to": orders_pb2.Address(lines=["1 Elm Street"], city="Town", country="DE"),
        **customer("Dan", phone="0170 5550001"),
    }
    paris = {
        "ship_to": orders_pb2.Address(lines=["1 Elm Street"], city="Town", country="FR"),
        **customer("Dom", phone="0170 5550001"),
    }
    client.place("dan", **berlin)
    client.place("dom", **paris)
    assert reason_of(refused(client.admin.ErasePerson, asks(phone="01705550001"))) == "MALFORMED"
    assert erase(client, phone="+49 170 5550001") == 1
    assert (shown(client, "shop/dan")[0], shown(client, "shop/dom")[0]) == ("", "Dom")
    assert erase(client, phone="0170-5550001", country="FR") == 1
    for number, phone in (("dag", "+49 (0)170 5550001"), ("dov", "0170 5550001")):
        client.place(number, **{**berlin, **customer("Dag", phone=phone)})
    assert erase(client, phone="+49 170 5550001") == 2


def test_a_tag_makes_another_address_unless_all_tags_are_meant(client: Client):
    for number, email in (
        ("eve-1", "eve@example.org"),
        ("eve-2", "eve+shop@example.org"),
        ("eve-3", "EVE+2@example.org"),
    ):
        client.place(number, **customer("Eve", email=email))
    assert erase(client, email="eve+2@example.org") == 2, "of the customer, and of what all tags share"
    assert [shown(client, f"shop/eve-{each}")[0] for each in (1, 2, 3)] == ["Eve", "Eve", ""]
    assert erase(client, email="eve+other@example.org", with_tags=True) == 3
    assert [shown(client, f"shop/eve-{each}")[0] for each in (1, 2, 3)] == ["", "", ""]


def test_the_contact_of_a_supplier_is_erased_with_the_person_once_it_is_not_in_use(client: Client):
    client.approve("fae-co", contact="Fae <fae@example.org>, +49 30 5550009")
    answer = refused(client.admin.ErasePerson, asks(False, email="fae@example.org"))
    assert reason_of(answer) == "PERSON_KEPT"
    assert client.admin.ErasePerson(asks(email="FAE@example.org")).counts.supplier_contacts == 1
    found = client.suppliers.GetSupplier(
        suppliers_pb2.GetSupplierRequest(supplier_id="fae-co", with_personal_data=True)
    ).supplier
    assert (found.contact, found.HasField("contact_erased_at")) == ("", True)


def test_answers_say_that_the_customer_was_erased(client: Client):
    work = Work(client, "gus", customer=customer("Gus", email="gus@example.org")["customer"])
    work.opens()
    erase(client, email="gus@example.org")
    order_id = work.case().order_id
    order = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id)).order
    assert order.HasField("erased_at")
    assert work.case().erased_at == order.erased_at
    head = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    listed = client.finding.FindCustomer(finding_pb2.FindCustomerRequest(order_number=order_id, at_least=head)).orders
    assert [each.order.erased_at for each in listed] == [order.erased_at]
