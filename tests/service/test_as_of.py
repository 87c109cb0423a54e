"""What the ledger knew at any moment: as it was answered then, and as was believed then about a time before."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import grpc
import pytest

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    common_pb2,
    edges_pb2,
    obligations_pb2,
    orders_pb2,
    parcels_pb2,
    shipping_pb2,
    supplier_invoices_pb2,
    suppliers_pb2,
)
from tests.support.contract import request_classes
from tests.support.service import Client, Service, fields_of, patiently, reason_of, refused, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, REFUND, WELL_FORMED, Trade, bought, first_of, item, parcel_of

HOUR = timedelta(hours=1)
SERVICE = shipping_pb2.ShippingService(
    code="rail", carriers=["dhl"], days_from=10, days_to=20, cost=common_pb2.Money(amount_minor=1, currency="EUR")
)
POLICY = admin_pb2.Policy(suspension_least_cases=7, first_answer_within_hours=3, shipping_services=[SERVICE])

GOODS = shipping_pb2.CustomsLine(line_no=1, title="Cup", hs_code="691110", origin="CN", weight_grams=300)
CUSTOMS: dict[str, Any] = {"lines": [GOODS], "incoterm": shipping_pb2.INCOTERM_DDP}


class Watched(Trade):
    """A trade of which every answer is kept that was given on the way, with its question."""

    def __init__(self, client: Client, **questions: Any) -> None:
        super().__init__(client)
        self.questions, self.answers = questions, list[tuple[str, Any]]()

    def send(self, rpc: str, **fields: Any) -> Any:
        answer = super().send(rpc, **fields)
        self.look()
        return answer

    def placed(self, **more: Any) -> str:
        order_id = super().placed(**more)
        self.questions["GetOrder"] = orders_pb2.GetOrderRequest(order_id=order_id)
        self.questions["GetCase"] = request_classes()["GetCase"](case_id=order_id.partition("/")[2])
        self.questions["GetParcel"] = parcels_pb2.GetParcelRequest(**parcel_of(order_id))
        self.questions["GetCustoms"] = shipping_pb2.GetCustomsRequest(order_id=order_id)
        self.questions["GetSupplierOrder"] = request_classes()["GetSupplierOrder"](**first_of(order_id))
        self.look()
        return order_id

    def look(self) -> None:
        for rpc, request in self.questions.items():
            try:
                self.answers.append((rpc, self.call(rpc)(request)))
            except grpc.RpcError as error:
                if not reason_of(error).startswith("UNKNOWN_"):
                    raise


def without_position(answer: Any) -> bytes:
    plain = type(answer)()
    plain.CopyFrom(answer)
    plain.ClearField("position")
    return bytes(plain.SerializeToString(deterministic=True))


def test_as_of_every_position_the_answer_is_the_one_that_was_given_there(client: Client):
    sku = "as-of-cup"
    client.feed(10, sku=sku)
    stock = request_classes()["GetStock"](items=[item(sku)])
    supplier = suppliers_pb2.GetSupplierRequest(supplier_id="acme")
    trade = Watched(
        client,
        GetStock=stock,
        GetSupplier=supplier,
        GetSku=suppliers_pb2.GetSkuRequest(sku=sku),
        GetPolicy=admin_pb2.GetPolicyRequest(at=stamp(NOW)),
        ListClocks=obligations_pb2.ListClocksRequest(at=stamp(NOW), supplier_id="acme"),
        ListShippingServices=admin_pb2.ListShippingServicesRequest(at=stamp(NOW)),
        GetTemplate=request_classes()["GetTemplate"](**WELL_FORMED["GetTemplate"]),
        ListTemplates=request_classes()["ListTemplates"](),
    )
    order_id = trade.placed(sku=sku, units=2, placed_at=stamp(NOW))
    trade.send("AgreePolicy", policy=POLICY, effective_from=stamp(NOW - DAY))
    trade.send("PutTemplate")
    trade.send("CompleteCustomsData", order_id=order_id, **CUSTOMS)
    trade.send(
        "OfferSku",
        supplier_id="acme",
        offer=suppliers_pb2.Offer(sku=sku, cost=common_pb2.Money(amount_minor=100, currency="EUR")),
    )
    trade.send("SetBuffer", item=item(sku), units=3)
    trade.send("SendSupplierOrder", **first_of(order_id), at=stamp(NOW))
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW))
    trade.send("RecordCheckpoints", **parcel_of(order_id))
    case = {"case_id": order_id.partition("/")[2]}
    trade.send("OpenCase", **case, order_id=order_id)
    trade.send("StartReview", **case)
    trade.send("RuleLiability", **case)
    trade.send("ApproveRemedy", **case, remedy=REFUND)
    trade.send("RecordFeed", item=item(sku), quantity=1, feed_version=2)
    assert {rpc for rpc, _ in trade.answers} == set(trade.questions)
    assert len({answer.position for _, answer in trade.answers}) > 8
    kept: defaultdict[str, set[bytes]] = defaultdict(set)
    for rpc, answer in trade.answers:
        request = type(trade.questions[rpc])()
        request.CopyFrom(trade.questions[rpc])
        request.as_of.position = answer.position
        assert trade.call(rpc)(request) == answer, (rpc, answer.position)
        if rpc in ("GetCustoms", "ListClocks", "ListShippingServices", "GetTemplate", "ListTemplates"):
            kept[rpc].add(without_position(answer))
    assert min(map(len, kept.values())) > 1, kept
    known = [answer.position for rpc, answer in trade.answers if rpc == "GetOrder"]
    before = orders_pb2.GetOrderRequest(order_id=order_id, as_of=common_pb2.AsOf(position=known[0] - 100))
    assert reason_of(refused(client.orders.GetOrder, before)) in ("UNKNOWN_ORDER", "MALFORMED")


def test_an_instant_of_recording_is_the_position_that_the_log_had_come_to_then(client: Client):
    order_id = Trade(client).sent()
    history = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=order_id)).facts
    for fact in history[:-1]:
        as_of = common_pb2.AsOf(recorded_until=fact.recorded_at)
        found = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, as_of=as_of))
        assert found.position >= fact.position
        same = orders_pb2.GetOrderRequest(order_id=order_id, as_of=common_pb2.AsOf(position=found.position))
        assert client.orders.GetOrder(same) == found


def test_what_was_believed_about_a_time_before_it_is_what_had_happened_by_then_as_far_as_it_was_known(client: Client):
    trade = Trade(client)
    order_id = trade.placed(placed_at=stamp(NOW - 5 * DAY))
    trade.send("SendSupplierOrder", **first_of(order_id), at=stamp(NOW - 5 * DAY + HOUR))
    sent = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    # Told today, and happened three days ago.
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW - 3 * DAY))
    shipped = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position

    def bucket(at: Any, position: int | None = None) -> str:
        as_of = common_pb2.AsOf(happened_until=stamp(at))
        if position is not None:
            as_of.position = position
        found = client.orders.GetOrder(orders_pb2.GetOrderRequest(order_id=order_id, as_of=as_of)).order
        return "shipped" if found.shipments else "sent" if found.supplier_orders[0].HasField("sent_at") else "placed"

    assert bucket(NOW - 2 * DAY) == bucket(NOW - 2 * DAY, shipped) == "shipped"
    assert bucket(NOW - 2 * DAY, sent) == "sent"
    assert bucket(NOW - 4 * DAY) == bucket(NOW - 4 * DAY, shipped) == "sent"


def test_news_that_came_late_counts_from_when_it_happened_with_scans_and_with_feeds(client: Client):
    trade, sku = Trade(client), "late-news-cup"
    order_id = trade.sent(6, lines=[bought(sku, 2)])
    trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id), at=stamp(NOW - 5 * DAY))
    unknown = as_of_now(client)
    # All of it is told now.
    scans = [
        parcels_pb2.Checkpoint(at=stamp(NOW - days * DAY), status=status)
        for days, status in (
            (4, parcels_pb2.PARCEL_STATUS_IN_TRANSIT),
            (2, parcels_pb2.PARCEL_STATUS_DELIVERED),
        )
    ]
    trade.send("RecordCheckpoints", **parcel_of(order_id), checkpoints=scans)
    trade.send("RecordFeed", item=item(sku), quantity=7, feed_version=1, as_of=stamp(NOW - 3 * DAY))

    def believed(days: float, **recorded: Any) -> tuple[int, int, int]:
        """How many scans the parcel had, units of the order were delivered, and units were there, so many days ago."""
        as_of = common_pb2.AsOf(happened_until=stamp(NOW - days * DAY), **recorded)
        parcel = trade.send("GetParcel", **parcel_of(order_id), as_of=as_of).parcel
        order = trade.send("GetOrder", order_id=order_id, as_of=as_of).order
        level = trade.send("GetStock", items=[item(sku)], as_of=as_of).levels[0]
        return len(parcel.checkpoints), order.lines[0].units.delivered, level.quantity

    assert [believed(days) for days in (4.5, 3.5, 2.5, 1)] == [(0, 0, 0), (1, 0, 0), (1, 0, 7), (2, 2, 7)]
    assert {believed(days, position=unknown.position) for days in (4.5, 3.5, 2.5, 1)} == {(0, 0, 0)}


def test_what_presupposes_something_later_is_left_out_with_it(client: Client):
    trade = Trade(client)
    sku = "believed-cup"
    client.feed(10, sku=sku)
    order_id = trade.placed(sku=sku, units=2)
    client.feed(4, sku=sku, version=2)
    trade.send("CancelOrder", order_id=order_id)
    request = request_classes()["GetStock"](items=[item(sku)])
    request.as_of.happened_until.FromDatetime(NOW - DAY)
    level = client.stock.GetStock(request).levels[0]
    assert (level.tracked, level.available) == (False, 0)


def as_of_now(client: Client) -> common_pb2.AsOf:
    return common_pb2.AsOf(position=client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)


def test_the_papers_of_an_order_are_shown_as_they_were_without_the_people_on_them(client: Client):
    trade = Trade(client)
    seller = admin_pb2.Seller(name="Brook & Sons", address=["Berlin"], country="DE", tax_id="DE 1")
    trade.send("AgreePolicy", policy=admin_pb2.Policy(seller=seller))
    order_id = trade.sent()
    trade.send("CompleteCustomsData", order_id=order_id, **CUSTOMS)
    sent = as_of_now(client)
    trade.send("RequestCustomerInvoice", order_id=order_id)
    shipped = trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id))
    listing = request_classes()["ListCustomerInvoices"](order_id=order_id, at_least=shipped.position)
    (row,) = patiently(client.customer_invoices.ListCustomerInvoices, listing).invoices
    invoiced, which = as_of_now(client), {"order_id": order_id, "number": row.number}
    trade.send("IssueCreditNote", **which)
    trade.send("AgreePolicy", policy=admin_pb2.Policy(seller=admin_pb2.Seller(name="Sold on", country="DE")))

    now, then = (trade.send("GetCustomerInvoice", **which, **past).invoice for past in ({}, {"as_of": invoiced}))
    assert (now.buyer.name, bool(now.credit_note.number)) == ("Ann Example", True)
    assert (then.buyer.name, bool(then.credit_note.number), then.total) == ("", False, now.total)
    before = trade.request("GetCustomerInvoice", **which, as_of=sent)
    assert reason_of(refused(client.customer_invoices.GetCustomerInvoice, before)) == "UNKNOWN_CUSTOMER_INVOICE"
    paper = trade.request("GetCustomerInvoice", **which, as_of=invoiced, with_pdf=True)
    assert fields_of(refused(client.customer_invoices.GetCustomerInvoice, paper)) == ["as_of"]

    now, then = (
        trade.send("GetCommercialInvoice", **first_of(order_id), **past).invoice for past in ({}, {"as_of": invoiced})
    )
    assert (now.seller.name, then.seller.name, then.total) == ("Sold on", "Brook & Sons", now.total)
    assert "Ann Example" in str(now)
    assert "Ann Example" not in str(then)


def test_of_a_link_and_of_who_wants_no_texts_it_is_said_what_held_then(client: Client, service: Service):
    trade, type_ = Trade(client), Console(service.address)
    order_id = trade.placed()
    said = {"phone": "+4930123456"}
    moments, links, texts = [as_of_now(client)], [], []
    trade.send("WithdrawTrackingLink", order_id=order_id)
    trade.send("RecordTextChoice", **said, choice=edges_pb2.TEXT_CHOICE_NONE)
    moments.append(as_of_now(client))
    trade.send("RenewTrackingLink", order_id=order_id)
    trade.send("RecordTextChoice", **said, choice=edges_pb2.TEXT_CHOICE_WANTED)
    moments.append(as_of_now(client))
    for moment in moments:
        link = trade.send("GetTrackingLink", order_id=order_id, as_of=moment)
        assert (link.url, link.path, link.position) == ("", "", moment.position)
        links.append(link.withdrawn)
        texts.append(trade.send("GetTextChoice", **said, as_of=moment).choice)
    assert links == [False, True, False]
    assert texts == [
        edges_pb2.TEXT_CHOICE_UNSPECIFIED, edges_pb2.TEXT_CHOICE_NONE, edges_pb2.TEXT_CHOICE_WANTED,
    ]  # fmt: skip
    told = [type_("order", "link", order_id, "--as-of", str(each.position)).out for each in moments]
    assert [each.split()[:4] for each in told] == [
        ["There", "was", "a", "link."],
        ["The", "link", "was", "withdrawn"],
        ["There", "was", "a", "link;"],
    ]
    assert "cannot be combined" in type_("order", "link", order_id, "--renew", "--as-of", "1").err


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"as_of": common_pb2.AsOf(position=0)}, ["as_of.position"]),
        ({"as_of": common_pb2.AsOf(position=-1)}, ["as_of.position"]),
        ({"as_of": common_pb2.AsOf(position=1), "at_least": 1}, ["as_of"]),
        ({"as_of": common_pb2.AsOf(position=1), "with_personal_data": True}, ["as_of"]),
        ({"as_of": common_pb2.AsOf(recorded_until=stamp(NOW + 2 * DAY))}, ["as_of.recorded_until"]),
    ],
)
def test_a_moment_that_cannot_be_meant_is_refused_with_its_field(client: Client, asked: Any, fields: list[str]):
    assert fields_of(refused(client.orders.GetOrder, orders_pb2.GetOrderRequest(order_id="shop/1", **asked))) == fields


def test_the_console_shows_objects_as_of_a_position_and_an_instant(client: Client, service: Service):
    type_, trade, sku = Console(service.address), Trade(client), "console-cup"
    client.feed(10, sku=sku)
    case_id = trade.opened(lines=[bought(sku, 2)])
    order_id = f"shop/{case_id}"
    position = str(client.admin.GetStatus(admin_pb2.GetStatusRequest()).position)
    trade.send("StartReview", case_id=case_id)
    trade.send("RecordFeed", item=item(sku), quantity=1, feed_version=2)
    stock = ("stock", "show", "acme", sku, "--json")
    assert [type_(*stock, *then).json["levels"][0]["quantity"] for then in ((), ("--as-of", position))] == [1, 10]
    case = ("case", "show", case_id, "--json")
    assert [type_(*case, *then).json["status"] for then in ((), ("--as-of", position))] == [
        "CASE_STATUS_UNDER_REVIEW",
        "CASE_STATUS_OPENED",
    ]
    long_ago = f"{NOW - 3 * DAY:%Y-%m-%dT%H:%M}Z"
    for words in ((order_id,), (order_id, "--as-of", position)):
        assert type_("show", *words).code == 0
        assert "UNKNOWN_ORDER" in type_("show", *words, "--at", long_ago).err
    parcel = ("parcel", "show", "dhl", case_id)
    assert type_(*parcel, "--as-of", position).out == type_(*parcel).out
    assert "UNKNOWN_PARCEL" in type_(*parcel, "--as-of", "1").err
    assert type_("supplier", "show", "acme", "--as-of", position).code == 0
    assert "trade's defaults" in type_("policy", "show", "--as-of", "1").out
    assert "cannot be combined" in type_("show", order_id, "--as-of", position, "--personal").err


def test_the_console_shows_whatever_it_shows_of_one_thing_as_of_a_position(client: Client, service: Service):
    type_, trade = Console(service.address), Trade(client)
    before = str(as_of_now(client).position)
    order_id, sku, supplier_id = trade.sent(), trade.stocked(), trade.supplier()
    recovery_id, inquiry_id = trade.claim(), trade.inquiry()
    trade.send("AskStockUp", supplier_id=supplier_id, stock_up_id="as-of-peak")
    goods = supplier_invoices_pb2.SupplierInvoiceLine(**first_of(order_id), units=1, unit_price_minor=200)
    trade.send("RecordSupplierInvoice", supplier_id="acme", number="as-of-bill", lines=[goods])
    after = str(as_of_now(client).position)
    things = {
        ("recovery", "show", recovery_id): "UNKNOWN_RECOVERY",
        ("inquiry", "show", inquiry_id): "UNKNOWN_INQUIRY",
        ("stock", "up", "show", "as-of-peak"): "UNKNOWN_STOCK_UP",
        ("supplier", "invoice", "show", "acme", "as-of-bill"): "UNKNOWN_SUPPLIER_INVOICE",
        ("supplier", "instruction", f"{order_id}/1"): "UNKNOWN_SUPPLIER_ORDER",
        ("order", "customs", order_id): "UNKNOWN_ORDER",
        ("sku", "show", sku): "",
        ("clock", "list", "--supplier", supplier_id): "UNKNOWN_SUPPLIER",
        ("shipping", "services"): "",
        ("message", "template", "show", "order_confirmed"): "",
        ("message", "template", "list"): "",
        ("text", "show", "+4930123456"): "",
    }
    for words, unknown in things.items():
        now, then = type_(*words), type_(*words, "--as-of", after)
        assert (now.code, now.out) == (then.code, then.out) == (0, now.out), (words, now.err, then.err)
        assert unknown in type_(*words, "--as-of", before).err, words
