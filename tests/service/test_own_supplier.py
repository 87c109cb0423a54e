"""A supplier's token against every RPC: its own supplier orders, stock and questions, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import grpc
import pytest

from adapters.rpc.own import OWN
from fulfilment.client import CallFailed
from fulfilment.failures import failure
from fulfilment.v1 import (
    audit_pb2,
    batch_pb2,
    common_pb2,
    orders_pb2,
    stock_pb2,
    supplier_orders_pb2,
    supplier_portal_pb2,
)
from tests.support import documented
from tests.support.access import UNREADABLE, administer, answer_to, bearer, knows, until
from tests.support.service import Client, Service, patiently, stamp
from tests.support.terminal import Console
from tests.support.trading import DAY, NOW, Fields, Trade, answer, bought, first_of, fresh, line, number_of, parcel_of

RPCS = documented.rpcs()
MARKER = "Zzyzx"
EMAIL = "zzyzx@example.org"


class World(NamedTuple):
    """Two suppliers with a client each, and a person of the retailer."""

    service: Service
    trade: Trade
    tokens: Mapping[str, str]
    suppliers: Mapping[str, str]
    """Their ids by the names of their clients."""

    def client(self, name: str) -> Client:
        return Client(self.service.address, token=self.tokens[name])

    def ask(self, name: str, rpc: str, **fields: Any) -> Any:
        """What an RPC answers a client: its answer, or how it failed."""
        with self.client(name) as client:
            trade = Trade(client)
            try:
                return trade.send(rpc, **fields)
            except grpc.RpcError as error:
                return failure(error)

    def of(self, name: str, **more: Any) -> str:
        """An order whose one supplier order was sent to this supplier."""
        person = orders_pb2.Customer(name=MARKER, email=EMAIL, phone="+49 30 9990001")
        to = orders_pb2.Address(lines=[f"1 {MARKER} Street"], city="Bonn", postal_code="53111", country="DE")
        lines = [bought(fresh(), 2, self.suppliers[name])]
        return self.trade.sent(**{"lines": lines, "customer": person, "ship_to": to, "note": "ring twice", **more})


@pytest.fixture(scope="module")
def world(service: Service) -> Iterator[World]:
    owner = administer("add", "mia", "--dsn", service.dsn, "--role", "owner", "--all-tenants", "--personal")
    tokens = {"mia": owner.token}
    suppliers = {"ling": fresh(), "otto": fresh(), "blind": ""}
    suppliers["blind"] = suppliers["ling"]
    for name, supplier_id in suppliers.items():
        more = [] if name == "blind" else ["--personal"]
        words = ("--dsn", service.dsn, "--role", "supplier", "--tenant", "default", "--supplier", supplier_id, *more)
        tokens[name] = administer("add", name, *words).token
    until(lambda: not knows(service.address, ""), "the first client closes the service")
    until(lambda: knows(service.address, tokens["blind"]), "the clients are known")
    with Client(service.address, token=tokens["mia"]) as client:
        for supplier_id in {*suppliers.values()}:
            client.approve(supplier_id, at=NOW - 30 * DAY)
        yield World(service, Trade(client), tokens, suppliers)


# --- how each RPC names what is another's -----------------------------------------------------------


def _inquiry(world: World, name: str) -> Fields:
    inquiry_id, order_id = fresh(), world.of(name)
    world.trade.send("AskInquiry", inquiry_id=inquiry_id, order_id=order_id, supplier_id=world.suppliers[name])
    return {"inquiry_id": inquiry_id}


def _stock_up(world: World, name: str) -> Fields:
    stock_up_id = fresh()
    world.trade.send("AskStockUp", stock_up_id=stock_up_id, supplier_id=world.suppliers[name])
    return {"stock_up_id": stock_up_id}


def _shipped(world: World, name: str) -> Fields:
    order_id = world.of(name)
    world.trade.send("ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id))
    return {**parcel_of(order_id), "right_tracking_number": fresh()}


def _cancel_asked(world: World, name: str) -> Fields:
    order_id = world.of(name)
    world.trade.send("CancelOrder", order_id=order_id)
    return first_of(order_id)


def _supplier_order(world: World, name: str) -> Fields:
    return first_of(world.of(name))


def _acknowledged(world: World, name: str) -> Fields:
    return {**first_of(world.of(name)), "lines": [answer(accepted=2)]}


def _to_ship(world: World, name: str) -> Fields:
    order_id = world.of(name)
    return {**first_of(order_id), **parcel_of(order_id)}


def _item(world: World, name: str) -> Fields:
    return {"item": stock_pb2.Item(supplier_id=world.suppliers[name], sku="cup")}


NAMING: Mapping[str, tuple[Callable[[World, str], Fields], Fields, str]] = {
    "GetSupplierOrder": (_supplier_order, first_of("shop/nobody"), "UNKNOWN_SUPPLIER_ORDER"),
    "AcknowledgeSupplierOrder": (_acknowledged, first_of("shop/nobody"), "UNKNOWN_SUPPLIER_ORDER"),
    "PackSupplierOrder": (_supplier_order, first_of("shop/nobody"), "UNKNOWN_SUPPLIER_ORDER"),
    "ShipSupplierOrder": (_to_ship, first_of("shop/nobody"), "UNKNOWN_SUPPLIER_ORDER"),
    "AnswerCancelRequest": (_cancel_asked, first_of("shop/nobody"), "UNKNOWN_SUPPLIER_ORDER"),
    "CorrectTracking": (_shipped, {"tracking_number": "NOBODY"}, "UNKNOWN_PARCEL"),
    "RecordFeed": (_item, {"item": stock_pb2.Item(supplier_id="nobody", sku="cup")}, "UNKNOWN_SUPPLIER"),
    "GetStockUp": (_stock_up, {"stock_up_id": "nobody"}, "UNKNOWN_STOCK_UP"),
    "AnswerStockUp": (_stock_up, {"stock_up_id": "nobody"}, "UNKNOWN_STOCK_UP"),
    "GetInquiry": (_inquiry, {"inquiry_id": "nobody"}, "UNKNOWN_INQUIRY"),
    "AnswerInquiry": (_inquiry, {"inquiry_id": "nobody"}, "UNKNOWN_INQUIRY"),
}
"""By RPC: what of a supplier it names, how it names nobody's, and how that is refused."""


def test_every_rpc_that_names_something_is_tried_here():
    assert NAMING.keys() == {rpc for rpc, own in OWN.items() if own.check is not None}


@pytest.mark.parametrize("rpc", NAMING)
def test_a_supplier_gets_at_its_own_and_anothers_is_as_unknown_as_nobodys(world: World, rpc: str):
    make, nobodys, reason = NAMING[rpc]
    mine, others = make(world, "ling"), make(world, "otto")
    said = {}
    for what, fields in (("other's", others), ("nobody's", {**others, **nobodys})):
        failed = world.ask("ling", rpc, **fields)
        assert isinstance(failed, CallFailed), f"{rpc} answered {failed}"
        assert failed.reason == reason
        shown = str(failed)
        for value in (*fields.values(), world.suppliers["otto"]):
            shown = shown.replace(str(getattr(value, "supplier_id", value)), "")
        said[what] = shown
    assert said["other's"] == said["nobody's"]
    answered = world.ask("ling", rpc, **mine)
    assert not isinstance(answered, CallFailed), answered
    if RPCS[rpc].is_command:
        outcomes = world.ask("ling", "ExecuteBatch", commands=_batch(world, rpc, others, make(world, "ling"))).outcomes
        assert [each.refusal.reason for each in outcomes] == [reason, ""]
        assert not outcomes[1].receipt.HasField("result")


def _batch(world: World, rpc: str, *named: Fields) -> Iterator[batch_pb2.BatchCommand]:
    """The same command about several things, each with its result."""
    fields = batch_pb2.BatchCommand.DESCRIPTOR.oneofs_by_name["command"].fields
    kinds = {str(each.message_type and each.message_type.name): each.name for each in fields}
    for each in named:
        request = world.trade.request(rpc, **each)
        request.context.with_result = True
        command = batch_pb2.BatchCommand()
        getattr(command, kinds[f"{rpc}Request"]).CopyFrom(request)
        yield command


def test_the_lines_that_others_have_of_its_order_are_as_unknown_as_lines_that_are_not_there(world: World):
    both = world.of("ling", lines=[bought(fresh(), 1, world.suppliers[name]) for name in ("ling", "otto")])
    said = []
    for line_no in (2, 7):
        failed = world.ask("ling", "ShipSupplierOrder", **first_of(both), **parcel_of(both), lines=[line(line_no)])
        assert isinstance(failed, CallFailed), f"line {line_no} was shipped"
        assert failed.reason == "UNKNOWN_LINE"
        said.append(str(failed).replace(f"no line {line_no}", ""))
    assert said[0] == said[1]
    shipped = world.ask("ling", "ShipSupplierOrder", **first_of(both), **parcel_of(both), lines=[line(1)])
    assert not isinstance(shipped, CallFailed), shipped


def test_what_is_refused_changes_nothing(world: World):
    order_id = world.of("otto")
    before = world.ask("mia", "GetOrder", order_id=order_id)
    for rpc in ("AcknowledgeSupplierOrder", "PackSupplierOrder"):
        assert world.ask("ling", rpc, **first_of(order_id)).reason == "UNKNOWN_SUPPLIER_ORDER"
    assert world.ask("ling", "ShipSupplierOrder", **first_of(order_id), **parcel_of(order_id)).reason
    assert world.ask("mia", "GetOrder", order_id=order_id).order == before.order


@pytest.mark.parametrize("rpc", sorted(RPCS.keys() - OWN.keys()))
def test_a_supplier_may_call_nothing_else(world: World, rpc: str):
    with grpc.insecure_channel(world.service.address) as channel:
        answered = answer_to(channel, rpc, UNREADABLE, bearer(world.tokens["ling"]))
    assert isinstance(answered, CallFailed)
    assert answered.reason == "NOT_ALLOWED"


# --- lists ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rpc", "make"), [("ListInquiries", _inquiry), ("ListStockUps", _stock_up)])
def test_a_list_holds_its_own_whatever_is_asked_for(world: World, rpc: str, make: Callable[[World, str], Fields]):
    mine, others = make(world, "ling"), make(world, "otto")
    (name, my_id), (_, other_id) = *mine.items(), *others.items()
    head = world.trade.send("GetHistory", supplier_id=world.suppliers["otto"], order_id="").position
    for asked in ("", world.suppliers["ling"]):
        shown = str(world.ask("ling", rpc, supplier_id=asked, at_least=head))
        assert my_id in shown, name
        assert other_id not in shown
    assert other_id in str(world.ask("mia", rpc, supplier_id=world.suppliers["otto"]))
    for asked in (world.suppliers["otto"], "nobody"):
        answered = world.ask("ling", rpc, supplier_id=asked)
        answered.position = 0
        assert answered == type(answered)()


def test_its_supplier_orders_are_listed_once_it_was_told_of_them(world: World):
    drafts = [bought(fresh(), 1, world.suppliers["ling"])]
    mine, others, draft = world.of("ling"), world.of("otto"), world.trade.placed(lines=drafts)
    both = world.of("ling", lines=[bought(fresh(), 1, world.suppliers[name]) for name in ("ling", "otto")])
    head = world.trade.send("GetHistory", order_id=both).position

    def listed(name: str, **asked: Any) -> list[str]:
        answered = world.ask(name, "ListSupplierOrders", **{"supplier_id": "", "at_least": head, **asked})
        return [each.supplier_order_id for each in answered.supplier_orders]

    found = listed("ling")
    assert {f"{mine}/1"} <= {*found}
    assert not {f"{others}/1", f"{draft}/1"} & {*found}
    assert len([each for each in found if each.startswith(both)]) == 1
    assert listed("mia", supplier_id=world.suppliers["ling"]) == found
    assert not listed("ling", supplier_id=world.suppliers["otto"])
    assert world.ask("mia", "ListSupplierOrders", supplier_id="").reason == "MALFORMED"
    assert world.ask("ling", "GetSupplierOrder", **first_of(draft)).reason == "UNKNOWN_SUPPLIER_ORDER"


@pytest.mark.parametrize("rpc", ["ListSupplierOrders", "ListInquiries", "ListStockUps"])
def test_nobody_outside_makes_the_service_fold_its_log(world: World, rpc: str):
    mine = {"ListInquiries": _inquiry, "ListStockUps": _stock_up}.get(rpc, lambda *_: world.of("ling"))(world, "ling")
    position = world.trade.send("GetHistory", supplier_id=world.suppliers["ling"], order_id="").position
    as_of = common_pb2.AsOf(position=position)
    refused = world.ask("ling", rpc, supplier_id="", as_of=as_of)
    assert [field for field, _ in refused.fields] == ["as_of"]
    found = str(
        patiently(world.trade.call(rpc), world.trade.request(rpc, supplier_id=world.suppliers["ling"], as_of=as_of))
    )
    for my_id in mine.values() if isinstance(mine, dict) else [mine]:
        assert my_id in found


# --- what it sees -----------------------------------------------------------------------------------


def test_it_sees_where_to_send_and_neither_prices_nor_mail_nor_other_suppliers(world: World):
    both = world.of(
        "ling",
        lines=[bought(fresh(), 1, world.suppliers[name]) for name in ("ling", "otto")],
    )
    order = world.ask("mia", "GetOrder", order_id=both).order
    (mine,) = (each for each in order.supplier_orders if each.supplier_id == world.suppliers["ling"])
    asked = {"supplier_order_id": mine.supplier_order_id, "with_personal_data": True}
    world.trade.send("SendSupplierOrder", supplier_order_id=mine.supplier_order_id)
    world.trade.send(
        "ShipSupplierOrder", supplier_order_id=mine.supplier_order_id, carrier="dhl", tracking_number=number_of(both)
    )
    shown: supplier_portal_pb2.DispatchOrder = world.ask("ling", "GetSupplierOrder", **asked).supplier_order
    assert (shown.name, shown.phone, shown.note) == (MARKER, "+49 30 9990001", "ring twice")
    assert list(shown.ship_to.lines) == [f"1 {MARKER} Street"]
    assert [(each.line_no, each.units.shipped) for each in shown.lines] == [(mine.shares[0].line_no, 1)]
    assert [each.tracking_number for each in shown.shipments] == [number_of(both)]
    for secret in (EMAIL, world.suppliers["otto"], "990", "unit_price", "cost"):
        assert secret not in str(shown).replace("9990001", "")
    (read,) = world.trade.send("ListReads", order_id=both, client="ling").reads
    assert (read.rpc, read.order_id) == ("GetSupplierOrder", both)


def test_whom_it_goes_to_needs_the_right_to_personal_data(world: World):
    asked = first_of(world.of("ling"))
    refused = world.ask("blind", "GetSupplierOrder", **asked, with_personal_data=True)
    assert (refused.reason, refused.metadata["lacks"]) == ("NOT_ALLOWED", "personal")
    shown = world.ask("blind", "GetSupplierOrder", **asked).supplier_order
    assert MARKER not in str(shown)
    assert shown.ship_to.country == "DE"


def test_nobodys_address_is_shown_once_nothing_is_to_be_sent(world: World):
    asked = _cancel_asked(world, "ling")
    world.ask("ling", "AnswerCancelRequest", **asked, agreed=True)
    shown = world.ask("ling", "GetSupplierOrder", **asked, with_personal_data=True).supplier_order
    assert MARKER not in str(shown)
    assert not shown.HasField("ship_to")


def test_as_of_a_moment_it_is_shown_no_more_than_now(world: World):
    asked = _cancel_asked(world, "ling")
    then = {**asked, "as_of": common_pb2.AsOf(position=world.trade.send("GetSupplierOrder", **asked).position)}
    assert world.ask("ling", "GetSupplierOrder", **then).supplier_order.ship_to.country == "DE"
    world.ask("ling", "AnswerCancelRequest", **asked, agreed=True)
    shown = world.ask("ling", "GetSupplierOrder", **then).supplier_order
    assert shown.status == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_CANCEL_REQUESTED
    assert not shown.HasField("ship_to")
    assert world.ask("mia", "GetSupplierOrder", **then).supplier_order.HasField("ship_to")
    refused = world.ask("ling", "GetSupplierOrder", **then, with_personal_data=True)
    assert [field for field, _ in refused.fields] == ["as_of"]


def test_who_answered_before_is_the_retailers_business(world: World):
    asked = _inquiry(world, "ling")
    world.trade.send("AnswerInquiry", **asked, text="as they said on the phone")
    (answered,) = world.ask("ling", "GetInquiry", **asked, with_personal_data=True).inquiry.answers
    assert (answered.by, answered.text) == ("", "as they said on the phone")
    assert world.ask("mia", "GetInquiry", **asked).inquiry.answers[0].by == "mia/test"


def test_a_number_under_which_another_supplier_ships_is_as_free_as_any(world: World):
    """Goods left under it, so it is recorded, and the other one's parcel stays what it is."""
    theirs, mine = _to_ship(world, "otto"), first_of(world.of("ling"))
    world.trade.send("ShipSupplierOrder", **theirs)
    receipt = world.ask("ling", "ShipSupplierOrder", **{**theirs, **mine}, at=stamp(NOW))
    assert not isinstance(receipt, CallFailed)
    assert [each for each in receipt.warnings if "/" in each] == []
    order_id = theirs["supplier_order_id"].rpartition("/")[0]
    history = world.trade.client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id=order_id))
    assert not any(world.suppliers["ling"] in fact.json for fact in history.facts)


def test_a_supplier_reads_its_orders_at_the_console(world: World):
    order_id = world.of("ling")
    head = world.trade.send("GetHistory", order_id=order_id).position
    world.trade.client.read_up_to(head)
    console = Console(world.service.address, tenant="")
    console.environment["FULFILMENT_TOKEN"] = world.tokens["ling"]
    assert f"{order_id}/1" in console("supplier", "orders").out
    acknowledged = console("order", "ack", f"{order_id}/1")
    assert (acknowledged.code, acknowledged.out) == (0, "Recorded.\n"), acknowledged.err
    (line,) = world.ask("ling", "GetSupplierOrder", supplier_order_id=f"{order_id}/1").supplier_order.lines
    assert (line.units.pending, line.units.accepted) == (0, 2)
    for words in (("inquiry", "list"), ("stock", "up", "list")):
        assert console(*words).code == 0
    assert "is not for suppliers" in console("supplier", "orders", "--as-of", "1").err
    shown = console("supplier", "instruction", f"{order_id}/1", "--personal").out
    assert MARKER in shown
    assert EMAIL not in shown
