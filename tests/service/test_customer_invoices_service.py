"""Invoices for customers over a real socket: data, paper and mail, lists, erasure, and numbers under fire."""

from __future__ import annotations

import email
import re
from concurrent.futures import ThreadPoolExecutor
from email.policy import default
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
from pypdf import PdfReader

from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    common_pb2,
    order_money_pb2,
    orders_pb2,
    supplier_orders_pb2,
)
from fulfilment.v1 import customer_invoices_pb2 as pb
from tests.support.hosting import hosting
from tests.support.service import Client, Service, context, dsn_of, order, patiently, reason_of, refused, serving
from tests.support.terminal import Console
from tests.support.waiting import wait_for

SELLER = admin_pb2.Seller(name="Brook & Sons", address=["10435 Berlin"], country="DE", tax_id="DE 811 128 135")
SHIPPING = order_money_pb2.Charge(charge_id="shipping", kind=order_money_pb2.CHARGE_KIND_SHIPPING, amount_minor=490)
BUYER = pb.InvoiceBuyer(name="范例公司 Ltd", tax_id="91310000MA1FL0", address=["1 Office Park", "Shanghai"])
WISH = pb.InvoiceWish(buyer=BUYER, included_tax_basis_points=1900)


def name_seller(client: Client) -> None:
    """Keeps all other terms."""
    policy = client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy
    policy.seller.CopyFrom(SELLER)
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))


def sent(client: Client, number: str, **more: Any) -> None:
    client.orders.PlaceOrder(order(number, **{"sku": "untracked", "invoice": WISH, **more}))
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=f"shop/{number}/1")
    )


def ship(client: Client, number: str, tracking_number: str = "", **more: Any) -> common_pb2.Receipt:
    request = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=context(),
        supplier_order_id=f"shop/{number}/1",
        carrier="dhl",
        tracking_number=tracking_number or f"INV{number}",
        **more,
    )
    return client.orders.ShipSupplierOrder(request, timeout=60)


def listed(client: Client, at_least: int, **about: Any) -> list[pb.CustomerInvoice]:
    request = pb.ListCustomerInvoicesRequest(at_least=at_least, **about)
    return list(patiently(client.customer_invoices.ListCustomerInvoices, request).invoices)


def read(client: Client, number: str, invoice: str, pdf: bool = True) -> tuple[pb.CustomerInvoice, str]:
    request = pb.GetCustomerInvoiceRequest(order_id=f"shop/{number}", number=invoice, with_pdf=pdf)
    answer = client.customer_invoices.GetCustomerInvoice(request)
    return answer.invoice, PdfReader(BytesIO(answer.pdf)).pages[0].extract_text() if pdf else ""


def invoiced(client: Client, number: str, **more: Any) -> str:
    name_seller(client)
    sent(client, number, charges=[SHIPPING], **more)
    (row,) = listed(client, ship(client, number).position, order_id=f"shop/{number}")
    return row.number


# --- data and paper ---------------------------------------------------------------------------------


def test_an_invoice_is_drawn_up_when_the_goods_leave_as_data_and_as_paper(client: Client):
    name_seller(client)
    sent(client, "billed", charges=[SHIPPING])
    (row,) = listed(client, ship(client, "billed").position, order_id="shop/billed")
    assert re.fullmatch(r"DE811128135-20\d\d-\d{6}", row.number)
    assert (row.total.amount_minor, row.parcel, row.HasField("buyer")) == (1480, "dhl INVBILLED", False)
    found, text = read(client, "billed", row.number)
    assert (found.seller.name, found.seller.tax_id) == (SELLER.name, SELLER.tax_id)
    assert (found.buyer.name, found.buyer.tax_id, list(found.buyer.address)) == (
        BUYER.name, BUYER.tax_id, list(BUYER.address),
    )  # fmt: skip
    assert [(each.sku, each.units, each.amount_minor) for each in found.lines] == [("untracked", 1, 990)]
    assert [(each.charge_id, each.amount_minor) for each in found.charges] == [("shipping", 490)]
    assert found.included_tax_minor == 236
    for expected in (row.number, "范例公司", BUYER.tax_id, "14.80", "2.36", "Brook & Sons"):
        assert expected in text


def test_without_another_buyer_an_invoice_is_made_out_to_the_customer(client: Client):
    found, _ = read(client, "hers", invoiced(client, "hers", invoice=pb.InvoiceWish()), pdf=False)
    assert (found.buyer.name, found.buyer.country, found.buyer.tax_id) == ("Ann Example", "DE", "")
    assert found.included_tax_basis_points == 0


def test_an_invoice_comes_with_the_mail_that_says_that_the_goods_have_left(client: Client, service: Service):
    assert Console(service.address)("policy", "set", "message_window_minutes=0").code == 0
    number = invoiced(client, "mailed")
    name = f"{number}.pdf"

    def mail() -> Any:
        for path in service.data.rglob("*.eml"):
            found = email.message_from_bytes(path.read_bytes(), policy=default)
            if name in [each.get_filename() for each in found.iter_attachments()]:
                return found
        return None

    wait_for(lambda: mail() is not None)
    (attached,) = mail().iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert number in PdfReader(BytesIO(attached.get_content())).pages[0].extract_text()


def test_nothing_of_a_buyer_stands_in_plain_and_who_is_erased_leaves_number_amounts_and_lines(
    client: Client, service: Service
):
    customer = orders_pb2.Customer(name="Ina Invoiced", email="ina@example.org")
    number = invoiced(client, "ina", customer=customer)
    client.read_up_to(client.get("shop/ina").version)
    with psycopg.connect(service.dsn) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tenant_default'"
        ).fetchall()
        for (table,) in tables:
            rows = str(connection.execute(f"SELECT t::text FROM tenant_default.{table} AS t").fetchall())
            for secret in (BUYER.name, BUYER.tax_id, BUYER.address[0], "Ina Invoiced"):
                assert secret not in rows, table
                assert secret.encode().hex() not in rows, table
    client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="ina@example.org", even_if_open=True))
    found, text = read(client, "ina", number)
    assert (found.buyer.name, found.buyer.tax_id, found.total.amount_minor) == ("", "", 1480)
    assert "14.80" in text
    assert "范例" not in text


# --- credit notes -----------------------------------------------------------------------------------


def test_a_credit_note_cancels_an_invoice_and_another_is_made_out_as_it_should_have_been(client: Client):
    number = invoiced(client, "wrong")
    note = pb.IssueCreditNoteRequest(context=context(), order_id="shop/wrong", number=number, reason="wrong buyer")
    first = client.customer_invoices.IssueCreditNote(note)
    note.context.CopyFrom(context())
    assert client.customer_invoices.IssueCreditNote(note).version == first.version
    note.context.CopyFrom(context())
    note.reason = "returned"
    assert reason_of(refused(client.customer_invoices.IssueCreditNote, note)) == "INVOICE_IS_CREDITED"
    again = pb.RequestCustomerInvoiceRequest(context=context(), order_id="shop/wrong", wish=pb.InvoiceWish())
    receipt = client.customer_invoices.RequestCustomerInvoice(again)
    cancelled, stands = listed(client, receipt.position, order_id="shop/wrong")
    assert cancelled.number == number
    assert (cancelled.credit_note.reason, stands.HasField("credit_note")) == ("", False)
    assert stands.total == cancelled.total
    assert read(client, "wrong", stands.number, pdf=False)[0].buyer.name == "Ann Example"
    found, text = read(client, "wrong", number)
    for expected in (found.credit_note.number, number, "CREDIT NOTE", "-14.80", "wrong buyer"):
        assert expected in text
    assert [each.number for each in listed(client, 0, number=found.credit_note.number)] == [number]


def test_invoices_are_listed_by_year_page_by_page(client: Client):
    numbers = [invoiced(client, f"paged-{n}") for n in range(3)]
    year = int(numbers[0].split("-")[1])
    found, token = [], ""
    while True:
        page = common_pb2.PageRequest(page_size=2, page_token=token)
        request = pb.ListCustomerInvoicesRequest(year=year, page=page)
        answer = patiently(client.customer_invoices.ListCustomerInvoices, request)
        found += [each.number for each in answer.invoices]
        token = answer.next_page_token
        if not token:
            break
    assert found == sorted(set(found))
    assert set(numbers) <= set(found)
    assert listed(client, 0, year=year + 1) == []


def test_goods_leave_also_without_a_seller_to_name_and_the_receipt_says_what_lacks(embedded: str, folder: Path):
    with hosting(embedded, folder / "data") as service, Client(service.address) as client:
        client.approve()
        sent(client, "nobody")
        assert "no seller with a tax id" in ship(client, "nobody").warnings[0]
        ask = pb.RequestCustomerInvoiceRequest(context=context(), order_id="shop/nobody", wish=WISH)
        name_seller(client)
        commands = [batch_pb2.BatchCommand(request_customer_invoice=ask)]
        (outcome,) = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands)).outcomes
        assert len(listed(client, outcome.receipt.position, order_id="shop/nobody")) == 1


# --- numbers under fire -----------------------------------------------------------------------------


def test_two_processes_that_ship_and_cancel_at_once_leave_no_number_out_and_give_none_twice(folder: Path):
    """120 parcels, and a credit note for every third invoice, through two servers on one database."""
    with serving(folder, "--data", str(folder / "data")) as first:
        key = str(folder / "data" / "master.key")
        with serving(folder, "--dsn", dsn_of(folder / "data"), "--role", "api", "--key-file", key) as second:
            clients = [Client(first.address), Client(second.address)]
            clients[0].approve()
            name_seller(clients[0])

            def place(n: int) -> None:
                sent(clients[n % 2], f"fire-{n}")

            def leave(n: int) -> str:
                client, order_id = clients[n % 2], f"shop/fire-{n}"
                result = supplier_orders_pb2.ShipSupplierOrderRequest(
                    context=context(), supplier_order_id=f"{order_id}/1", carrier="dhl", tracking_number=f"FIRE{n}"
                )
                position = client.orders.ShipSupplierOrder(result, timeout=60).position
                (row,) = listed(client, position, order_id=order_id)
                if n % 3 == 0:
                    note = pb.IssueCreditNoteRequest(
                        context=context(), order_id=order_id, number=row.number, reason="returned"
                    )
                    clients[(n + 1) % 2].customer_invoices.IssueCreditNote(note, timeout=60)
                return row.number

            with ThreadPoolExecutor(24) as callers:
                list(callers.map(place, range(120)))
                numbers = list(callers.map(leave, range(120)))
            series = numbers[0].rpartition("-")[0]
            assert sorted(numbers) == [f"{series}-{n:06}" for n in range(1, 121)]
            with psycopg.connect(dsn_of(folder / "data")) as connection:
                taken = connection.execute(
                    "SELECT originator_id, originator_version, convert_from(state, 'UTF8')::json->>'number' "
                    "FROM tenant_default.ledger_events WHERE originator_id LIKE 'invoice_series-%' ORDER BY 1, 2"
                ).fetchall()
            credit_series = series.replace("-", "-C")
            assert [(name, int(number)) for name, _, number in taken] == [
                *((f"invoice_series-{series}", n) for n in range(1, 121)),
                *((f"invoice_series-{credit_series}", n) for n in range(1, 41)),
            ]
            for client in clients:
                client.close()
