"""FindingService over a real socket: everything about a customer, and everything about an order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fulfilment.v1 import (
    admin_pb2,
    cases_pb2,
    common_pb2,
    finding_pb2,
    inquiries_pb2,
    orders_pb2,
    parcels_pb2,
    remarks_pb2,
    supplier_orders_pb2,
    work_pb2,
)
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    patiently,
    reason_of,
    refused,
    stamp,
)

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)


def find(client: Client, at_least: int = 0, **known_by: Any) -> list[finding_pb2.CustomerOrder]:
    request = finding_pb2.FindCustomerRequest(at_least=at_least, **known_by)
    return [*patiently(client.finding.FindCustomer, request).orders]


def ids(found: list[finding_pb2.CustomerOrder]) -> list[str]:
    return [each.order.order_id for each in found]


def who(name: str, phone: str = "", email: bool = True) -> dict[str, Any]:
    return {"customer": orders_pb2.Customer(name=name, email=f"{name}@example.org" if email else "", phone=phone)}


# --- customers ------------------------------------------------------------------------------------


def test_a_customer_is_found_by_mail_phone_or_number_with_all_its_orders(client: Client):
    client.place("bea-1", **who("bea", phone="+49 (170) 555-01"))
    client.place("bea-2", **who("Bea"))
    client.place("other", **who("bert", phone="+49 170 55502"))
    receipt = client.place("bea-3", **who("bea", phone="0049 170 777"))
    mine = ["shop/bea-1", "shop/bea-2", "shop/bea-3"]
    for known_by in (
        {"email": " BEA@example.org"},
        {"phone": "004917055501"},
        {"phone": "+49 170 777"},
        {"order_number": "shop/bea-2"},
        {"order_number": "bea-2"},
    ):
        assert ids(find(client, receipt.position, **known_by)) == mine, known_by
    for nobody in ({"email": "nobody@example.org"}, {"phone": "+49 170 5550"}, {"order_number": "nothing"}):
        assert find(client, receipt.position, **nobody) == [], nobody


def test_an_order_without_mail_is_found_by_its_phone_and_so_is_who_shares_it(client: Client):
    client.place("carl-1", **who("carl", phone="030 888", email=False))
    receipt = client.place("carla-1", **who("carla", phone="030/888"))
    both = ["shop/carl-1", "shop/carla-1"]
    assert ids(find(client, receipt.position, phone="030888")) == both
    assert ids(find(client, order_number="shop/carl-1")) == ids(find(client, order_number="carla-1")) == both


def test_who_an_order_goes_to_now_is_found_and_who_it_went_to_before(client: Client):
    client.place("moves", **who("dora"))
    change = orders_pb2.ChangeAddressRequest(
        context=context(),
        order_id="shop/moves",
        ship_to=orders_pb2.Address(lines=["1 Rue"], city="Paris", country="FR"),
        **who("dirk"),
    )
    receipt = client.orders.ChangeAddress(change)
    for name in ("dora", "dirk"):
        assert ids(find(client, receipt.position, email=f"{name}@example.org")) == ["shop/moves"]


def test_the_same_number_in_two_shops_finds_the_orders_of_both_customers(client: Client):
    client.place("2026/7", **who("emil"))
    client.place("2026/7", channel="mall", **who("edda"))
    receipt = client.place("edda-2", channel="mall", **who("edda"))
    assert sorted(ids(find(client, receipt.position, order_number="2026/7"))) == [
        "mall/2026%2F7",
        "mall/edda-2",
        "shop/2026%2F7",
    ]
    assert ids(find(client, receipt.position, order_number="shop/2026%2F7")) == ["shop/2026%2F7"]


def test_an_order_brings_its_cases_its_questions_and_what_is_sent_once_more(client: Client):
    order_id = _delivered(client, "fay", **who("fay"))
    client.cases.OpenCase(
        cases_pb2.OpenCaseRequest(
            context=context(),
            case_id="fay-case",
            order_id=order_id,
            reason=cases_pb2.CASE_REASON_DAMAGED,
            lines=[common_pb2.LineUnits(line_no=1, units=1)],
        )
    )
    client.inquiries.AskInquiry(
        inquiries_pb2.AskInquiryRequest(
            context=context(),
            inquiry_id="fay-asks",
            asked_by=common_pb2.PARTY_CUSTOMER,
            asked_of=common_pb2.PARTY_RETAILER,
            order_id=order_id,
            text="when do I get a new one?",
        )
    )
    steps: list[tuple[Any, Any]] = [
        (client.cases.StartReview, cases_pb2.StartReviewRequest(context=context(), case_id="fay-case")),
        (
            client.cases.RuleLiability,
            cases_pb2.RuleLiabilityRequest(
                context=context(), case_id="fay-case", liable=common_pb2.PARTY_RETAILER, reasons=["clumsy"]
            ),
        ),
        (
            client.cases.ApproveRemedy,
            cases_pb2.ApproveRemedyRequest(context=context(), case_id="fay-case", remedy=cases_pb2.REMEDY_RESHIP),
        ),
    ]
    for rpc, request in steps:
        receipt = rpc(request)
    first, again = find(client, receipt.position, email="fay@example.org")
    assert (first.order.order_id, again.order.original_order_id, again.order.reship_of) == (
        order_id,
        order_id,
        "fay-case",
    )
    assert [(each.case_id, each.reship_order_id) for each in first.cases] == [("fay-case", again.order.order_id)]
    assert [(each.inquiry_id, each.text) for each in first.inquiries] == [("fay-asks", "")]


def test_nobody_is_found_any_more_who_was_erased_and_a_number_finds_its_order_alone(client: Client, service: Service):
    client.place("gil-1", **who("gil", phone="+49 171 999"))
    receipt = client.place("gil-2", **who("gil"))
    assert len(find(client, receipt.position, phone="+49171999")) == 2
    kept = "SELECT count(*) FROM tenant_default.ledger_keys WHERE email IS NOT NULL OR phone IS NOT NULL"
    with psycopg.connect(service.dsn) as connection:
        (before,) = connection.execute(kept).fetchone() or (0,)
        destroyed = client.admin.ErasePerson(admin_pb2.ErasePersonRequest(email="gil@example.org", even_if_open=True))
        connection.rollback()
        assert connection.execute(kept).fetchone() == (before - destroyed.keys_destroyed,)
    assert find(client, email="gil@example.org") == find(client, phone="+49171999") == []
    assert ids(find(client, order_number="shop/gil-1")) == ids(find(client, order_number="gil-1")) == ["shop/gil-1"]
    client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name="tracking"))
    receipt = client.place("gil-3", **who("gil"))
    assert ids(find(client, receipt.position, email="gil@example.org")) == ["shop/gil-3"]
    assert ids(find(client, order_number="shop/gil-1")) == ["shop/gil-1"], "what was forgotten stays forgotten"


def test_no_hash_of_a_contact_stands_in_a_fact_or_a_read_model(client: Client, service: Service):
    receipt = client.place("hash", **who("hanna", phone="+49 172 1"))
    client.read_up_to(receipt.position)
    with psycopg.connect(service.dsn) as connection:
        hashes = connection.execute(
            "SELECT email, phone FROM tenant_default.ledger_keys WHERE email IS NOT NULL AND phone IS NOT NULL"
        ).fetchall()
        assert hashes
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tenant_default'"
        ).fetchall()
        for (table,) in tables:
            rows = str(connection.execute(f"SELECT t::text FROM tenant_default.{table} AS t").fetchall())
            if table == "ledger_events":
                facts = connection.execute("SELECT convert_from(state, 'UTF8') FROM tenant_default.ledger_events")
                rows = str(facts.fetchall())
            if table != "ledger_keys":
                assert not any(each in rows for pair in hashes for each in pair), table


def test_another_tenant_has_customers_of_its_own(client: Client, service: Service):
    client.place("ida-1", **who("ida"))
    client.admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant="elsewhere"))
    with Client(service.address, tenant="elsewhere") as other:
        other.approve()
        receipt = other.place("ida-2", **who("ida"))
        assert ids(find(other, receipt.position, email="ida@example.org")) == ["shop/ida-2"]


@pytest.mark.parametrize(
    ("known_by", "field"),
    [
        ({}, "known_by"),
        ({"email": " "}, "email"),
        ({"phone": "extension"}, "phone"),
        ({"phone": "1" * 1001}, "phone"),
        ({"order_number": ""}, "order_number"),
    ],
)
def test_what_cannot_name_anybody_is_malformed(client: Client, known_by: dict[str, Any], field: str):
    assert fields_of(refused(client.finding.FindCustomer, finding_pb2.FindCustomerRequest(**known_by))) == [field]


def test_customers_come_in_pages(client: Client):
    for number in range(5):
        receipt = client.place(f"jim-{number}", **who("jim"))
    request = finding_pb2.FindCustomerRequest(email="jim@example.org", at_least=receipt.position)
    request.page.page_size = 2
    pages = []
    while True:
        answer = patiently(client.finding.FindCustomer, request)
        pages.append(ids([*answer.orders]))
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    assert pages == [["shop/jim-0", "shop/jim-1"], ["shop/jim-2", "shop/jim-3"], ["shop/jim-4"]]


# --- timelines ------------------------------------------------------------------------------------


def timeline(client: Client, order_id: str, at_least: int = 0, **more: Any) -> list[finding_pb2.TimelineEntry]:
    request = finding_pb2.GetTimelineRequest(order_id=order_id, at_least=at_least, **more)
    return [*patiently(client.finding.GetTimeline, request).entries]


def _delivered(client: Client, number: str, **more: Any) -> str:
    client.place(number, placed_at=stamp(NOW - 50 * HOUR), **more)
    part = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=part, at=stamp(NOW - 49 * HOUR)
        )
    )
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id=part,
            carrier="dhl",
            tracking_number=f"JD{number}".upper(),
            at=stamp(NOW - 40 * HOUR),
        )
    )
    for hours, status in (
        (30, parcels_pb2.PARCEL_STATUS_IN_TRANSIT),
        (20, parcels_pb2.PARCEL_STATUS_DELIVERED),
    ):
        client.parcels.RecordCheckpoints(
            parcels_pb2.RecordCheckpointsRequest(
                context=context(),
                carrier="dhl",
                tracking_number=f"JD{number}".upper(),
                checkpoints=[parcels_pb2.Checkpoint(at=stamp(NOW - hours * HOUR), status=status)],
            )
        )
    return f"shop/{number}"


def test_a_timeline_tells_all_that_happened_by_when_it_happened(client: Client):
    order_id = _delivered(client, "story", **who("kim"))
    client.cases.OpenCase(
        cases_pb2.OpenCaseRequest(
            context=context(),
            case_id="story-case",
            order_id=order_id,
            reason=cases_pb2.CASE_REASON_DAMAGED,
            lines=[common_pb2.LineUnits(line_no=1, units=1)],
            at=stamp(NOW - 10 * HOUR),
        )
    )
    client.inquiries.AskInquiry(
        inquiries_pb2.AskInquiryRequest(
            context=context(),
            inquiry_id="story-asks",
            asked_by=common_pb2.PARTY_CUSTOMER,
            asked_of=common_pb2.PARTY_RETAILER,
            order_id=order_id,
            topic=inquiries_pb2.INQUIRY_TOPIC_PRODUCT,
            text="is it made of glass?",
            at=stamp(NOW - 9 * HOUR),
        )
    )
    note = remarks_pb2.AddOrderNoteRequest(
        context=context(actor="mia"), order_id=order_id, note="she was kind", at=stamp(NOW - 35 * HOUR)
    )
    receipt = client.orders.AddOrderNote(note)
    told = timeline(client, order_id, receipt.position)
    texts = [each.text for each in told]
    wanted = [
        r"The shop shop sold 1 tea\.",
        r"Supplier order shop/story/1 was sent to the supplier.*\.",
        r"Shipped with DHL JDSTORY of shop/story/1: 1 unit of line 1\.",
        r"A note was written by mia\.",
        r"The carrier DHL scanned JDSTORY: in transit\.",
        r"The carrier DHL scanned JDSTORY: delivered\.",
        r"Delivered in DHL JDSTORY: 1 unit of line 1\.",
        r"Case story-case was opened for 1 unit of line 1: damaged\.",
        r"The customer asked the retailer about product, to be answered by .*Z\.",
    ]
    places = [next((n for n, text in enumerate(texts) if re.fullmatch(each, text)), -1) for each in wanted]
    assert places == sorted(places), texts
    times = [each.at.ToDatetime(tzinfo=UTC) for each in told]
    assert times == sorted(times)
    subjects = {finding_pb2.TimelineSubject.Name(each.subject).removeprefix("TIMELINE_SUBJECT_") for each in told}
    assert subjects >= {"ORDER", "PARCEL", "CASE", "INQUIRY", "WORK"}
    assert any("There is work for after sales" in text for text in texts)
    assert not any("glass" in text or "kind" in text for text in texts)
    personal = [each.text for each in timeline(client, order_id, with_personal_data=True)]
    assert "A note was written by mia: she was kind" in personal
    assert any(text.endswith(": is it made of glass?") for text in personal)


def test_a_timeline_comes_in_pages_that_show_each_entry_once(client: Client):
    order_id = _delivered(client, "pages", **who("lea"))
    client.read_up_to(client.orders.AddOrderNote(note_of(order_id)).position)
    told = _in_pages_of(3, client, order_id)
    assert len(told) > 6
    # Messages about it may have come meanwhile: they are the newest.
    later = [(each.position, each.text) for each in timeline(client, order_id)]
    assert [each for each in later if each in told] == told


def _in_pages_of(size: int, client: Client, order_id: str) -> list[tuple[int, str]]:
    request = finding_pb2.GetTimelineRequest(order_id=order_id)
    request.page.page_size = size
    told: list[tuple[int, str]] = []
    while True:
        answer = client.finding.GetTimeline(request)
        assert len(answer.entries) <= size
        told += [(each.position, each.text) for each in answer.entries]
        request.page.page_token = answer.next_page_token
        if not answer.next_page_token:
            return told


def note_of(order_id: str) -> remarks_pb2.AddOrderNoteRequest:
    return remarks_pb2.AddOrderNoteRequest(context=context(), order_id=order_id, note="x")


def test_work_that_somebody_took_and_finished_stands_in_the_timeline(client: Client):
    client.place("worked", **who("max"))
    receipt = client.orders.PlaceHold(
        orders_pb2.PlaceHoldRequest(
            context=context(),
            order_id="shop/worked",
            reason=orders_pb2.HOLD_REASON_FRAUD_REVIEW,
            owner="fraud team",
            note="pays from five cards",
        )
    )
    listed = patiently(
        client.work.ListWork, work_pb2.ListWorkRequest(order_id="shop/worked", at_least=receipt.position)
    )
    (task,) = (each for each in listed.work if each.kind == work_pb2.WORK_KIND_HOLD)
    client.work.ClaimWork(work_pb2.ClaimWorkRequest(context=context(actor="mia"), task_id=task.task_id))
    receipt = client.work.FinishWork(
        work_pb2.FinishWorkRequest(context=context(actor="mia"), task_id=task.task_id, outcome="it is her own")
    )
    told = [each.text for each in timeline(client, "shop/worked", receipt.position) if each.fact[:5] == "task."]
    assert told == [f"The work was taken on by mia: {task.task_id}.", "The work was finished by mia."]
    # The work of an order whose id begins alike is another's.
    client.place("worked-2", **who("max"))
    assert not [each for each in timeline(client, "shop/worked-2") if each.fact[:5] == "task."]
    held = [each.text for each in timeline(client, "shop/worked", with_personal_data=True)]
    assert "A hold was placed: fraud review. It is for fraud team to act: pays from five cards" in held
    assert "The work was finished by mia: it is her own" in held


def test_an_earlier_use_of_a_tracking_number_is_another_orders_history(client: Client):
    first = _delivered(client, "reused", **who("nell"))
    client.place("again", **who("olaf"))
    send = supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id="shop/again/1")
    client.orders.SendSupplierOrder(send)
    ship = supplier_orders_pb2.ShipSupplierOrderRequest(
        context=context(), supplier_order_id="shop/again/1", carrier="dhl", tracking_number="JDREUSED"
    )
    client.orders.ShipSupplierOrder(ship)
    scans = [each.text for each in timeline(client, first) if "JDREUSED" in each.text]
    later = [each.text for each in timeline(client, "shop/again") if "JDREUSED" in each.text]
    assert "The carrier DHL scanned JDREUSED: delivered." in scans
    assert not [text for text in later if "scanned" in text]
    assert len([text for text in scans if "was announced" in text]) == 1
    assert len([text for text in later if "was announced" in text]) == 1


def test_there_is_no_timeline_of_an_order_that_there_is_not(client: Client):
    unknown = finding_pb2.GetTimelineRequest(order_id="shop/nobody")
    assert reason_of(refused(client.finding.GetTimeline, unknown)) == "UNKNOWN_ORDER"
    assert fields_of(refused(client.finding.GetTimeline, finding_pb2.GetTimelineRequest(order_id="x"))) == ["order_id"]
