"""Notes and tags of orders over a real socket, and the lists that tags and other filters make."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from fulfilment.v1 import admin_pb2, batch_pb2, orders_pb2, remarks_pb2, supplier_orders_pb2, tracking_pb2
from tests.support.service import Client, Service, context, fields_of, order, patiently, reason_of, refused

SECRET = "rings twice and hates mornings"


def note(number: str, text: str = SECRET, actor: str = "mia", **more: Any) -> remarks_pb2.AddOrderNoteRequest:
    return remarks_pb2.AddOrderNoteRequest(context=context(actor=actor), order_id=f"shop/{number}", note=text, **more)


def tag(number: str, *add: str, remove: tuple[str, ...] = ()) -> remarks_pb2.TagOrderRequest:
    return remarks_pb2.TagOrderRequest(context=context(), order_id=f"shop/{number}", add=add, remove=remove)


def read(client: Client, number: str, personal: bool = True) -> orders_pb2.Order:
    request = orders_pb2.GetOrderRequest(order_id=f"shop/{number}", with_personal_data=personal)
    return client.orders.GetOrder(request).order


def found(client: Client, at_least: int, **about: Any) -> list[str]:
    request = tracking_pb2.ListOrdersRequest(at_least=at_least, **about)
    return [each.order_id for each in patiently(client.reports.ListOrders, request).orders]


# --- notes ----------------------------------------------------------------------------------------


def test_a_note_is_read_back_with_who_wrote_it_by_those_who_ask_for_personal_data(client: Client):
    client.place("noted")
    client.orders.AddOrderNote(note("noted"))
    client.orders.AddOrderNote(note("noted", "asked for an invoice\non paper", actor="tom"))
    first, second = read(client, "noted").notes
    assert (first.by, first.note) == ("mia", SECRET)
    assert (second.by, second.note) == ("tom", "asked for an invoice\non paper")
    assert [each.note for each in read(client, "noted", personal=False).notes] == ["", ""]


def test_no_note_stands_in_the_database_in_plain_and_who_is_erased_takes_it_along(client: Client, service: Service):
    customer = orders_pb2.Customer(name="Nora Noted", email="nora@example.org")
    receipt = client.place("nora", customer=customer)
    receipt = client.orders.AddOrderNote(note("nora"))
    client.read_up_to(receipt.position)
    with psycopg.connect(service.dsn) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tenant_default'"
        ).fetchall()
        assert len(tables) > 20
        for (table,) in tables:
            rows = connection.execute(f"SELECT t::text FROM tenant_default.{table} AS t").fetchall()
            for secret in (SECRET, SECRET.encode().hex(), "nora@example.org", b"nora@example.org".hex()):
                assert secret not in str(rows), table
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="nora@example.org", even_if_open=True))
    (erased,) = read(client, "nora").notes
    assert (erased.by, erased.note) == ("mia", "")


def test_the_same_note_of_the_same_time_again_records_nothing(client: Client):
    client.place("twice")
    at = client.get("shop/twice").placed_at
    first = client.orders.AddOrderNote(note("twice", at=at))
    again = client.orders.AddOrderNote(note("twice", at=at))
    assert again.version == first.version
    assert len(read(client, "twice").notes) == 1


def test_a_note_says_something_about_an_order_that_there_is(client: Client):
    client.place("empty")
    assert fields_of(refused(client.orders.AddOrderNote, note("empty", " "))) == ["note"]
    assert fields_of(refused(client.orders.AddOrderNote, note("empty", "x" * 10_001))) == ["note"]
    assert reason_of(refused(client.orders.AddOrderNote, note("nobody"))) == "UNKNOWN_ORDER"
    assert len(read(client, "empty").notes) == 0


# --- tags -----------------------------------------------------------------------------------------


def test_an_order_comes_with_tags_and_is_found_by_those_that_it_has_now(client: Client):
    client.place("tagged", tags=["VIP ", "gift wrap"])
    assert list(read(client, "tagged").tags) == ["gift wrap", "vip"]
    receipt = client.orders.TagOrder(tag("tagged", "Überraschung", remove=("GIFT WRAP",)))
    assert found(client, receipt.position, tags=["vip", "überraschung"]) == ["shop/tagged"]
    assert found(client, receipt.position, tags=["gift wrap"]) == []
    again = client.orders.TagOrder(tag("tagged", "vip", remove=("gift wrap",)))
    assert again.version == receipt.version


def test_tags_that_cannot_be_are_malformed_and_change_nothing(client: Client):
    client.place("odd")
    for request, fields in (
        (tag("odd"), ["add"]),
        (tag("odd", "a", remove=("A",)), ["remove"]),
        (tag("odd", ""), ["add[0]"]),
        (tag("odd", "x" * 51), ["add[0]"]),
        (tag("odd", *(str(n) for n in range(21))), ["add"]),
    ):
        assert fields_of(refused(client.orders.TagOrder, request)) == fields
    assert fields_of(refused(client.orders.PlaceOrder, order("odder", tags=["a\tb"]))) == ["tags[0]"]
    assert list(client.get("shop/odd").tags) == []


def test_notes_and_tags_stand_in_batches(client: Client):
    client.place("batch")
    batch = batch_pb2.ExecuteBatchRequest(
        commands=[
            batch_pb2.BatchCommand(add_order_note=note("batch")),
            batch_pb2.BatchCommand(tag_order=tag("batch", "bulk")),
            batch_pb2.BatchCommand(tag_order=tag("nobody", "bulk")),
        ]
    )
    noted, tagged, unknown = client.batch.ExecuteBatch(batch).outcomes
    assert noted.HasField("receipt")
    assert tagged.HasField("receipt")
    assert unknown.refusal.reason == "UNKNOWN_ORDER"
    after = read(client, "batch")
    assert ([each.note for each in after.notes], list(after.tags)) == ([SECRET], ["bulk"])


# --- lists ----------------------------------------------------------------------------------------


def test_filters_of_a_list_combine_over_the_wire(client: Client):
    lines = [orders_pb2.OrderLine(sku="lamp", quantity=1, unit_price_minor=990, supplier_id="acme")]
    paris = orders_pb2.Address(lines=["1 Rue"], city="Paris", country="FR")
    client.place("lamp-1", lines=lines, tags=["fragile"])
    client.place("lamp-2", lines=lines, tags=["fragile"], ship_to=paris)
    receipt = client.place("lamp-3", lines=lines, ship_to=paris)
    assert found(client, receipt.position, sku="lamp") == ["shop/lamp-1", "shop/lamp-2", "shop/lamp-3"]
    assert found(client, receipt.position, sku="lamp", country="FR") == ["shop/lamp-2", "shop/lamp-3"]
    draft = tracking_pb2.ListOrdersRequest(sku="lamp", country="FR", tags=["fragile"], supplier_id="acme")
    draft.supplier_order_statuses.append(supplier_orders_pb2.SUPPLIER_ORDER_STATUS_DRAFT)
    answer = patiently(client.reports.ListOrders, draft)
    (only,) = answer.orders
    assert (only.order_id, only.country, list(only.tags), only.late) == ("shop/lamp-2", "FR", ["fragile"], False)


def test_a_program_follows_what_changes(client: Client):
    first = client.place("sync-1")
    client.place("sync-2")
    last = client.orders.TagOrder(tag("sync-1", "seen"))
    request = tracking_pb2.ListOrdersRequest(changed_after=first.position - 1, at_least=last.position)
    request.page.page_size = 1
    ids = []
    while True:
        answer = patiently(client.reports.ListOrders, request)
        ids += [each.order_id for each in answer.orders]
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    assert ids == ["shop/sync-2", "shop/sync-1"]
    assert answer.changed_until >= last.position
    nothing = tracking_pb2.ListOrdersRequest(changed_after=answer.changed_until)
    assert len(client.reports.ListOrders(nothing).orders) == 0


@pytest.mark.parametrize(
    ("about", "fields"),
    [
        ({"country": "XX"}, ["country"]),
        ({"changed_after": -1}, ["changed_after"]),
        ({"supplier_order_statuses": [77]}, ["supplier_order_statuses[0]"]),
        ({"tags": [""], "sku": "a\nb"}, ["sku", "tags[0]"]),
    ],
)
def test_a_filter_that_means_nothing_is_malformed(client: Client, about: dict[str, Any], fields: list[str]):
    error = refused(client.reports.ListOrders, tracking_pb2.ListOrdersRequest(**about))
    assert sorted(fields_of(error)) == fields
