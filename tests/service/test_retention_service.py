"""Retention over a socket: what was kept for as long as the policy says cannot be read any more, kind by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fulfilment.v1 import (
    admin_pb2,
    cases_pb2,
    common_pb2,
    customer_invoices_pb2,
    finding_pb2,
    inquiries_pb2,
    messages_pb2,
    orders_pb2,
    people_pb2,
    remarks_pb2,
    suppliers_pb2,
)
from tests.support.case_client import PNG, Work
from tests.support.retention import expire
from tests.support.service import Client, Service, context, fields_of, refused, stamp
from tests.support.terminal import Console
from tests.support.waiting import wait_for

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CUSTOMER, EVIDENCE, TEXTS, LETTERS, INVOICE, DELIVERY, SUPPLIER = range(1, 8)
ANN = orders_pb2.Customer(name="Ann", email="ann+shop@example.org")
NOT_PAID = orders_pb2.PAYMENT_STATE_PENDING
"""So that nothing is owed once it is cancelled."""


class Shop:
    """A tenant of its own, and its clock, which is moved."""

    def __init__(self, service: Service, tenant: str) -> None:
        Client(service.address).admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant=tenant))
        self.service, self.tenant, self.client = service, tenant, Client(service.address, tenant)
        self.client.approve(contact="Kim <kim@example.org>")

    def agree(self, *periods: people_pb2.Retention, **more: Any) -> None:
        policy = admin_pb2.Policy(retention=periods, return_window_days=0, **more)
        self.client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))

    def runs(self, now: datetime, folder: Path | None = None) -> int:
        """What the clock erases then."""
        head = self.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
        self.client.read_up_to(head)

        return expire(self.service.dsn, self.service.data / "master.key", self.tenant, now, folder)

    def cancelled(self, number: str, channel: str = "shop") -> str:
        order_id = f"{channel}/{number}"
        request = orders_pb2.CancelOrderRequest(
            context=context(), order_id=order_id, reason="changed my mind", by=common_pb2.PARTY_CUSTOMER
        )
        self.client.place(number, customer=ANN, channel=channel, payment=NOT_PAID)
        self.client.orders.CancelOrder(request)
        return order_id

    def note(self, order_id: str) -> None:
        request = remarks_pb2.AddOrderNoteRequest(context=context(), order_id=order_id, note="rang")
        self.client.orders.AddOrderNote(request)

    def shown(self, order_id: str) -> tuple[str, list[str], set[int]]:
        """The customer's name, what was written, and the kinds that are gone."""
        asked = orders_pb2.GetOrderRequest(order_id=order_id, with_personal_data=True)
        order = self.client.orders.GetOrder(asked).order
        return order.customer.name, [each.note for each in order.notes], {each.kind for each in order.expired}

    def keys(self, order_id: str) -> dict[str, set[bool]]:
        """Whether keys are there, by what they were for; those of a contact only with what finds it."""
        query = f"""
            SELECT purpose, wrapped IS NOT NULL OR email IS NOT NULL FROM tenant_{self.tenant}.ledger_keys
            WHERE subject = %s
        """
        found: dict[str, set[bool]] = {}
        with psycopg.connect(self.service.dsn) as connection:
            for purpose, is_there in connection.execute(query, (f"order {order_id}",)):
                found.setdefault(purpose, set()).add(is_there)
        return found

    def forecast(self, within_days: int = 0, **more: Any) -> people_pb2.GetRetentionResponse:
        head = self.client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
        request = people_pb2.GetRetentionRequest(within_days=within_days, at_least=head, **more)
        return self.client.admin.GetRetention(request)


@pytest.fixture
def shop(service: Service, request: pytest.FixtureRequest) -> Iterator[Shop]:
    shop = Shop(service, f"kept_{abs(hash(request.node.name)) % 10**8}")
    yield shop
    shop.client.close()


def periods(**days: int) -> people_pb2.Retention:
    return people_pb2.Retention(**days)  # type: ignore[arg-type]


def test_the_customer_goes_first_and_what_was_written_later(shop: Shop):
    client = shop.client
    shop.agree(periods(customer_days=30, texts_days=365))
    work = Work(client, "one", customer=ANN)
    shop.note(work.order_id)
    work.opens()
    work.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)
    work.send("CancelCase", by=common_pb2.PARTY_CUSTOMER)
    wait_for(lambda: client.get(work.order_id).status == orders_pb2.ORDER_STATUS_COMPLETED)
    everything = {"customer": {True}, "tag": {True}, "note": {True}, "evidence": {True}}
    assert shop.keys(work.order_id) == everything
    assert (shop.runs(NOW + 29 * DAY), shop.keys(work.order_id)) == (0, everything)

    assert shop.runs(NOW + 31 * DAY) == 1
    assert shop.shown(work.order_id) == ("", ["rang"], {CUSTOMER})
    assert shop.keys(work.order_id) == {**everything, "customer": {False}, "tag": {False}}
    case = work.case(with_personal_data=True)
    assert (case.note, case.HasField("erased_at")) == ("The cup of Ann Example came broken", False)
    found = client.finding.FindCustomer(finding_pb2.FindCustomerRequest(email="ann+shop@example.org"))
    assert list(found.orders) == []
    assert shop.runs(NOW + 31 * DAY) == 0
    assert history(shop, work.order_id).count("order.person_erased") == 1

    shop.agree(periods(customer_days=30, texts_days=40))
    assert shop.runs(NOW + 41 * DAY) == 1, "a changed policy is for old orders too"
    assert shop.shown(work.order_id) == ("", [""], {CUSTOMER, TEXTS})
    case = work.case(with_personal_data=True)
    assert (case.note, case.HasField("erased_at")) == ("", True)
    assert shop.keys(work.order_id)["evidence"] == {True}
    shop.agree(periods(customer_days=30, texts_days=40, evidence_days=40, letters_days=40, delivery_days=40))
    assert shop.runs(NOW + 42 * DAY) == 1
    assert shop.keys(work.order_id) == {purpose: {False} for purpose in everything}
    shop.note(work.order_id)
    assert shop.shown(work.order_id)[1] == ["", "rang"]
    assert history(shop, work.order_id)[-1] == "order.personal_data_added", "it is kept for a time again"


def history(shop: Shop, order_id: str) -> list[str]:
    query = f"SELECT topic FROM tenant_{shop.tenant}.ledger_events WHERE originator_id = %s"
    with psycopg.connect(shop.service.dsn) as connection:
        return [topic for (topic,) in connection.execute(query, (f"order-{order_id}",))]


def test_after_its_time_no_repetition_tells_who_it_was_and_what_its_shop_sent_is_gone(shop: Shop):
    shop.agree(periods(customer_days=30))
    order_id = shop.cancelled("guess")
    with psycopg.connect(shop.service.dsn, autocommit=True) as connection:
        inbox = f"tenant_{shop.tenant}.ledger_inbox"
        told = f"""
            INSERT INTO {inbox} (
                reception_id, connection, content, topic, object_id, whole, asked, box, received_at, about
            ) VALUES ('r-1', 'shop', '', 'order', '1', true, false, 'sealed', now(), ARRAY['{order_id}'])
        """
        connection.execute(told)
        shop.runs(NOW + 31 * DAY)
        assert connection.execute(f"SELECT box IS NULL FROM {inbox}").fetchone() == (True,)
    people = (ANN, orders_pb2.Customer(name="Eve"))
    guesses = [shop.client.place("guess", customer=each, payment=NOT_PAID) for each in people]
    assert guesses[0].version == guesses[1].version
    assert shop.shown(order_id)[0] == ""


def test_the_customer_goes_before_its_invoice_which_still_shows_name_and_address(shop: Shop):
    seller = admin_pb2.Seller(name="Brook & Sons", country="DE", tax_id="DE 811 128 135")
    shop.agree(periods(customer_days=30, invoice_days=3650), seller=seller)
    order_id = Work(shop.client, "billed", customer=ANN, invoice=customer_invoices_pb2.InvoiceWish()).order_id
    wait_for(lambda: shop.client.get(order_id).status == orders_pb2.ORDER_STATUS_COMPLETED)

    def buyer() -> tuple[str, list[str]]:
        number = f"DE811128135-{NOW:%Y}-000001"
        request = customer_invoices_pb2.GetCustomerInvoiceRequest(order_id=order_id, number=number)
        found = shop.client.customer_invoices.GetCustomerInvoice(request).invoice.buyer
        return found.name, list(found.address)

    shown = ("Ann", ["1 Elm Street", "10115 Berlin", "BE"])
    assert buyer() == shown
    assert shop.runs(NOW + 31 * DAY) == 1
    assert shop.keys(order_id) == {"customer": {False}, "tag": {False}, "buyer": {True}}
    assert (shop.shown(order_id)[0], buyer()) == ("", shown)
    assert shop.runs(NOW + 3651 * DAY) == 1
    assert shop.keys(order_id) == {"customer": {False}, "tag": {False}, "buyer": {False}}
    assert buyer() == ("", ["BE"])


def test_holds_open_questions_and_other_channels_keep_it_and_the_forecast_says_so(shop: Shop, service: Service):
    client = shop.client
    amazon = people_pb2.Retention(channel="amazon", customer_days=5)
    shop.agree(periods(customer_days=30), amazon)
    held, asked, quick, open_one = (shop.cancelled(each) for each in ("held", "asked", "quick", "more"))
    soon = shop.cancelled("az", channel="amazon")
    client.place("open", customer=ANN)
    until = NOW + 50 * DAY
    client.admin.HoldPersonalData(
        people_pb2.HoldPersonalDataRequest(context=context(), order_id=held, because="file 7", until=stamp(until))
    )
    question = inquiries_pb2.AskInquiryRequest(
        context=context(),
        inquiry_id="q-1",
        order_id=asked,
        topic=inquiries_pb2.INQUIRY_TOPIC_OTHER,
        asked_by=common_pb2.PARTY_CUSTOMER,
        asked_of=common_pb2.PARTY_RETAILER,
        text="Where is it?",
    )
    client.inquiries.AskInquiry(question)

    now = shop.forecast()
    assert (list(now.due), list(now.counts), now.retention[1]) == ([], [], amazon)
    then = shop.forecast(31)
    assert [each.object_id for each in then.due] == [soon, quick, open_one]
    assert {(each.kind, each.due_now, each.due_within) for each in then.counts} == {(CUSTOMER, 0, 3)}
    assert [(each.object_id, each.held_until) for each in then.held] == [(held, stamp(until))]
    first = shop.forecast(31, page=common_pb2.PageRequest(page_size=2))
    page = common_pb2.PageRequest(page_size=2, page_token=first.next_page_token)
    second = shop.forecast(31, page=page)
    assert [*first.due, *second.due] == [*then.due]
    assert second.next_page_token == ""

    ff = Console(service.address, shop.tenant)
    told = ff("person", "retention", "--due-within", "31", "--dry-run").out
    assert re.search(r"amazon +5 +for good", told), told
    assert re.search(r"customer +0 +3 +0", told), told
    assert re.search(rf"{quick} +customer +{NOW + 30 * DAY:%Y-%m}", told), told
    assert re.search(rf"kept by a hold.*\n.*{held} +customer", told), told
    assert quick not in ff("person", "retention", "--due-within", "31").out
    assert len(ff("person", "retention", "--due-within", "31", "--dry-run", "--json").json["due"]) == 3

    assert shop.runs(NOW + 6 * DAY) == 1
    assert [shop.shown(each)[0] for each in (soon, quick)] == ["", "Ann"]
    assert shop.runs(NOW + 31 * DAY) == 2
    everyone = [held, asked, quick, open_one, "shop/open"]
    assert [shop.shown(each)[0] for each in everyone] == ["Ann", "Ann", "", "", "Ann"]
    assert [(each.kind, each.gone_lately) for each in shop.forecast().counts] == [(CUSTOMER, 3)]

    client.inquiries.CloseInquiry(inquiries_pb2.CloseInquiryRequest(context=context(), inquiry_id="q-1"))
    assert shop.runs(NOW + 60 * DAY) == 2
    assert [shop.shown(each)[0] for each in everyone] == ["", "", "", "", "Ann"]

    other = Shop(service, f"{shop.tenant}_2")
    there = other.cancelled("quick")
    assert other.runs(NOW + 4000 * DAY) == 0
    assert other.shown(there)[0] == "Ann"
    other.client.close()


def test_files_of_letters_go_with_their_kind(shop: Shop, tmp_path: Path):
    shop.agree(periods(letters_days=30), message_window_minutes=0)
    order_id = shop.cancelled("mail")

    def sent() -> list[str]:
        asked = messages_pb2.ListMessagesRequest(order_id=order_id)
        return [each.message_id for each in shop.client.messages.ListMessages(asked).messages]

    (message_id,) = wait_for(sent)[:1]
    file = tmp_path / shop.tenant / f"{message_id.replace('/', '%2F').replace(':', '%3A')}-12345678.eml"
    file.parent.mkdir()
    file.write_text("Dear Ann")
    assert (shop.runs(NOW + 31 * DAY, tmp_path), file.exists()) == (1, False)
    assert shop.shown(order_id) == ("Ann", [], {LETTERS})


def test_the_contact_of_a_retired_supplier_goes_after_its_time(shop: Shop):
    shop.agree(supplier_days=90)
    request = suppliers_pb2.RetireSupplierRequest(context=context(), supplier_id="acme", reason="too late")
    shop.client.suppliers.RetireSupplier(request)
    (due,) = shop.forecast(91).due
    assert (due.object_id, due.kind) == ("acme", SUPPLIER)
    assert shop.runs(NOW + 91 * DAY) == 1
    asked = suppliers_pb2.GetSupplierRequest(supplier_id="acme", with_personal_data=True)
    supplier = shop.client.suppliers.GetSupplier(asked).supplier
    assert (supplier.contact, supplier.HasField("contact_erased_at")) == ("", True)
    assert list(shop.forecast(4000).due) == []


def test_periods_are_days_and_each_channel_has_one_entry(shop: Shop):
    for wrong, field in (
        ([periods(customer_days=40_000)], "policy.retention[0].customer_days"),
        ([periods(), periods()], "policy.retention"),
    ):
        request = admin_pb2.AgreePolicyRequest(context=context(), policy=admin_pb2.Policy(retention=wrong))
        assert fields_of(refused(shop.client.admin.AgreePolicy, request)) == [field]
    asked = people_pb2.GetRetentionRequest(within_days=-1)
    assert fields_of(refused(shop.client.admin.GetRetention, asked)) == ["within_days"]
    given = people_pb2.Retention(channel="amazon", customer_days=30, from_shipment=True)
    shop.agree(given)
    assert list(shop.client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy.retention) == [given]
