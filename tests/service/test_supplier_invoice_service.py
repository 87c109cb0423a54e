"""Invoices of suppliers over the wire: compared, disputed with a letter and work, taken back, paid, in a batch too."""

from __future__ import annotations

from typing import Any

import pytest

from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    common_pb2,
    messages_pb2,
    statements_pb2,
    supplier_invoices_pb2,
    supplier_orders_pb2,
    work_pb2,
)
from fulfilment.v1 import supplier_invoices_pb2 as pb
from tests.support.service import Client, Service, context, fields_of, offer, patiently, reason_of, refused
from tests.support.waiting import wait_for

MATCHED, DIFFERS, DISPUTED, PAID = (
    pb.SUPPLIER_INVOICE_STATUS_MATCHED,
    pb.SUPPLIER_INVOICE_STATUS_DIFFERS,
    pb.SUPPLIER_INVOICE_STATUS_DISPUTED,
    pb.SUPPLIER_INVOICE_STATUS_PAID,
)


@pytest.fixture(scope="module")
def client(service: Service):
    with Client(service.address) as client:
        client.approve(contact="Wei <orders@acme.cn>", answer_within_hours=24)
        offer(client, "acme", "tea", 250)
        yield client


def shipped(client: Client, number: str, units: int, leaving: int) -> str:
    """An order of tea of which some left; the id of its supplier order."""
    client.place(number, units=units)
    supplier_order_id = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order_id)
    )
    ship(client, supplier_order_id, leaving, number)
    return supplier_order_id


def ship(client: Client, supplier_order_id: str, units: int, parcel: str) -> None:
    request = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=context(),
        supplier_order_id=supplier_order_id,
        carrier="dhl",
        tracking_number=parcel.upper(),
        lines=[common_pb2.LineUnits(line_no=1, units=units)],
    )
    client.orders.ShipSupplierOrder(request)


def billed(supplier_order_id: str, units: int, **more: Any) -> pb.SupplierInvoiceLine:
    said = {"unit_price_minor": 250, "line_no": 1} | more
    return pb.SupplierInvoiceLine(supplier_order_id=supplier_order_id, units=units, **said)


def asked(number: str, *lines: pb.SupplierInvoiceLine, **more: Any) -> pb.RecordSupplierInvoiceRequest:
    said: dict[str, Any] = {"supplier_id": "acme", "currency": "EUR", "dated": "2026-03-31"} | more
    return pb.RecordSupplierInvoiceRequest(context=context(), number=number, lines=lines, **said)


def about(number: str, **more: Any) -> dict[str, Any]:
    return {"context": context(), "supplier_id": "acme", "number": number, **more}


def read(client: Client, number: str) -> pb.SupplierInvoice:
    request = pb.GetSupplierInvoiceRequest(supplier_id="acme", number=number)
    return client.supplier_invoices.GetSupplierInvoice(request).invoice


def eur(amount_minor: int) -> common_pb2.Money:
    return common_pb2.Money(amount_minor=amount_minor, currency="EUR")


def head(client: Client) -> int:
    return client.admin.GetStatus(admin_pb2.GetStatusRequest()).position


def work_of(client: Client, subject: str) -> list[work_pb2.Work]:
    request = work_pb2.ListWorkRequest(owner=work_pb2.WORK_OWNER_SUPPLIER_MANAGER, at_least=head(client))
    found = patiently(client.work.ListWork, request).work
    of_invoices = [each for each in found if each.kind == work_pb2.WORK_KIND_INVOICE]
    return [each for each in of_invoices if f"/{subject}-" in each.task_id]


def test_an_invoice_is_compared_when_it_comes_and_again_when_more_leaves(client: Client):
    supplier_order_id = shipped(client, "late", 5, 3)
    client.supplier_invoices.RecordSupplierInvoice(
        asked("2026/07-1", billed(supplier_order_id, 5), pay_by="2026-04-30")
    )
    found = read(client, "2026/07-1")
    assert (found.status, found.over_minor, found.pay_by) == (DIFFERS, 500, "2026-04-30")
    (difference,) = found.lines[0].differences
    assert (difference.kind, difference.units, difference.ordered, difference.shipped) == (
        pb.INVOICE_DIFFERENCE_KIND_QUANTITY,
        2,
        5,
        3,
    )
    assert [each.reason for each in work_of(client, "2026/07-1")] == ["approve or dispute it: quantity"]
    ship(client, supplier_order_id, 2, "late2")
    found = read(client, "2026/07-1")
    assert (found.status, found.lines[0].cost_minor) == (MATCHED, 1250)
    assert work_of(client, "2026/07-1") == []


def test_a_dispute_is_a_letter_and_work_until_the_supplier_takes_back_what_was_too_much(client: Client):
    supplier_order_id = shipped(client, "dear", 2, 2)
    client.supplier_invoices.RecordSupplierInvoice(
        asked(
            "dear-1",
            billed(supplier_order_id, 2, unit_price_minor=300),
            charges=[pb.SupplierInvoiceCharge(kind=pb.SUPPLIER_CHARGE_KIND_FREIGHT, amount_minor=40)],
        )
    )
    receipt = client.supplier_invoices.DisputeSupplierInvoice(
        pb.DisputeSupplierInvoiceRequest(**about("dear-1", reason="not agreed"))
    )
    found = read(client, "dear-1")
    assert (found.status, found.ruling.approved, found.ruling.by, found.ruling.holds) == (DISPUTED, False, "test", True)
    assert found.ruling.HasField("answer_by")
    assert [each.reason for each in work_of(client, "dear-1")] == ["settle the dispute: price, charge"]
    message_id = f"invoice_dispute-{receipt.position}"
    request = messages_pb2.GetMessageRequest(message_id=message_id, with_letter=True, at_least=receipt.position)

    def sent() -> bool:
        state = patiently(client.messages.GetMessage, request).message.state
        return bool(state == messages_pb2.MESSAGE_STATE_SENT)

    wait_for(sent)
    answer = client.messages.GetMessage(request)
    assert (answer.message.recipient, answer.message.invoice_number) == ("acme", "dear-1")
    assert "2 × shop/dear/1: 1.00 EUR more than the 5.00 EUR that we agreed." in answer.letter.text
    assert "Beside the goods: 0.40 EUR that we did not agree to." in answer.letter.text
    assert "as it is: not agreed" in answer.letter.text
    credit = pb.RecordSupplierCreditNoteRequest(**about("dear-1", credit_note="CN 1", amount=eur(140)))
    client.supplier_invoices.RecordSupplierCreditNote(credit)
    assert read(client, "dear-1").status == MATCHED
    assert work_of(client, "dear-1") == []


def test_money_that_nobody_had_agreed_to_is_recorded_with_a_warning_and_is_work(client: Client):
    supplier_order_id = shipped(client, "paid", 2, 2)
    client.supplier_invoices.RecordSupplierInvoice(asked("paid-1", billed(supplier_order_id, 2, unit_price_minor=300)))
    receipt = client.supplier_invoices.RecordSupplierPayment(
        pb.RecordSupplierPaymentRequest(**about("paid-1", payment_id="T-1", amount=eur(600)))
    )
    assert list(receipt.warnings) == ["invoice paid-1 of acme was not matched and nobody had approved it"]
    found = read(client, "paid-1")
    assert (found.status, found.open_minor, found.payments[0].unapproved) == (PAID, 0, "not matched")
    assert [each.reason for each in work_of(client, "paid-1")] == ["get back or approve what was paid too much: price"]
    client.supplier_invoices.ApproveSupplierInvoice(pb.ApproveSupplierInvoiceRequest(**about("paid-1")))
    assert work_of(client, "paid-1") == []


def test_a_statement_over_the_wire_says_owed_invoiced_paid_and_open(client: Client):
    client.approve("bolt")
    offer(client, "bolt", "mug", 400)
    client.place("mugs", lines=[{"sku": "mug", "quantity": 3, "unit_price_minor": 990, "supplier_id": "bolt"}])
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id="shop/mugs/1")
    )
    ship(client, "shop/mugs/1", 3, "mugs")
    line = billed("shop/mugs/1", 3, unit_price_minor=0, amount_minor=1000)
    client.supplier_invoices.RecordSupplierInvoice(asked("B1", line, supplier_id="bolt"))
    payment = pb.RecordSupplierPaymentRequest(
        **about("B1", payment_id="T-9", amount=eur(600)) | {"supplier_id": "bolt"}
    )
    client.supplier_invoices.RecordSupplierPayment(payment)
    request = statements_pb2.GetStatementRequest(supplier_id="bolt", at_least=head(client))
    (found,) = patiently(client.reports.GetStatement, request).balances
    assert (found.owed_minor, found.invoiced_minor, found.paid_minor, found.open_minor) == (1000, 1000, 600, 400)
    listing = statements_pb2.ListStatementEntriesRequest(supplier_id="bolt", at_least=head(client))
    (paid,) = [each for each in client.reports.ListStatementEntries(listing).entries if each.reference]
    assert (paid.object_id, paid.reference, paid.stream) == ("B1", "T-9", "supplier_invoice-bolt/B1")


def test_a_batch_takes_invoices_and_answers_each_alone(client: Client):
    supplier_order_id = shipped(client, "many", 4, 4)
    commands = [
        batch_pb2.BatchCommand(record_supplier_invoice=asked("many-1", billed(supplier_order_id, 4))),
        batch_pb2.BatchCommand(record_supplier_invoice=asked("many-2", billed(supplier_order_id, 1))),
        batch_pb2.BatchCommand(
            record_supplier_payment=pb.RecordSupplierPaymentRequest(
                **about("many-1", payment_id="T-1", amount=eur(1001))
            )
        ),
        batch_pb2.BatchCommand(
            record_supplier_payment=pb.RecordSupplierPaymentRequest(
                **about("many-1", payment_id="T-1", amount=eur(1000))
            )
        ),
    ]
    outcomes = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
    assert [each.refusal.reason for each in outcomes] == ["", "", "MORE_THAN_OPEN", ""]
    assert (read(client, "many-1").status, read(client, "many-2").status) == (PAID, DIFFERS)
    request = pb.ListSupplierInvoicesRequest(supplier_id="acme", statuses=[DIFFERS], at_least=head(client))
    found = patiently(client.supplier_invoices.ListSupplierInvoices, request).invoices
    assert ("many-2", [pb.INVOICE_DIFFERENCE_KIND_DOUBLE]) in [(each.number, list(each.differs)) for each in found]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"total_minor": 251}, "total_minor"),
        ({"dated": "31.3.2026"}, "dated"),
        ({"dated": ""}, "dated"),
        ({"currency": "XXX"}, "currency"),
        ({"number": " "}, "number"),
        ({"charges": [{"kind": pb.SUPPLIER_CHARGE_KIND_DISCOUNT, "amount_minor": 10}]}, "charges[0].amount_minor"),
        ({"charges": [{"amount_minor": -10}]}, "charges[0].amount_minor"),
        ({"charges": [{"kind": pb.SUPPLIER_CHARGE_KIND_DISCOUNT, "amount_minor": -250}]}, "lines"),
        ({"lines": [{"units": 0}]}, "lines[0].units"),
        ({"lines": [{"units": 1, "unit_price_minor": 1, "amount_minor": 1}]}, "lines[0].unit_price_minor"),
    ],
)
def test_an_invoice_that_cannot_be_understood_is_refused_with_the_field(client: Client, wrong: Any, field: str):
    said = {"lines": [billed("shop/none/1", 1)], **wrong}
    request = asked(said.pop("number", "wrong"), **{name: value for name, value in said.items() if name != "lines"})
    request.lines.extend(
        each if isinstance(each, supplier_invoices_pb2.SupplierInvoiceLine) else pb.SupplierInvoiceLine(**each)
        for each in said["lines"]
    )
    error = refused(client.supplier_invoices.RecordSupplierInvoice, request)
    assert (reason_of(error), field in fields_of(error)) == ("MALFORMED", True)
