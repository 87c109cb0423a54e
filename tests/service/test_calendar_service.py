"""Working calendars over a real socket: agreed, read back, refused, and what becomes due by them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.console.main import run
from fulfilment.v1 import (
    admin_pb2,
    batch_pb2,
    calendars_pb2,
    common_pb2,
    inquiries_pb2,
    obligations_pb2,
    orders_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
)
from tests.support.service import Client, Service, context, fields_of, order, refused, stamp

FRIDAY_15 = datetime(2026, 3, 6, 7, tzinfo=UTC)
"""15:00 in Shanghai."""
DAY = timedelta(days=1)


def calendar(**more: Any) -> calendars_pb2.WorkingCalendar:
    known: dict[str, Any] = {"time_zone": "Asia/Shanghai", "opens": "09:00", "closes": "18:00", "cut_off": "16:00"}
    return calendars_pb2.WorkingCalendar(**{**known, "holidays": ["2026-03-10"], **more})


def working(**more: Any) -> calendars_pb2.WorkingTerms:
    terms = {
        "acknowledge_within": calendars_pb2.WorkingTime(hours=8),
        "dispatch_within": calendars_pb2.WorkingTime(days=2),
        "answer_within": calendars_pb2.WorkingTime(days=1),
    }
    return calendars_pb2.WorkingTerms(calendar=calendar(**more), terms=terms)


def agreeing(terms: calendars_pb2.WorkingTerms, **more: Any) -> suppliers_pb2.AgreeTermsRequest:
    since = stamp(FRIDAY_15 - 30 * DAY)
    agreement = suppliers_pb2.Agreement(effective_from=since, working=terms, **more)
    return suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id="acme", agreement=agreement, at=since)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        since = stamp(FRIDAY_15 - 40 * DAY)
        supplier: dict[str, Any] = {"supplier_id": "acme", "at": since}
        client.suppliers.RegisterSupplier(
            suppliers_pb2.RegisterSupplierRequest(context=context(), name="Acme", **supplier)
        )
        matches: dict[str, Any] = dict.fromkeys(("material_matches", "packaging_matches", "manual_matches"), True)
        client.suppliers.ReviewSample(suppliers_pb2.ReviewSampleRequest(context=context(), **supplier, **matches))
        client.suppliers.AgreeTerms(agreeing(working()))
        client.suppliers.ApproveSupplier(suppliers_pb2.ApproveSupplierRequest(context=context(), **supplier))
        client.feed(1000)
        yield client


def test_a_calendar_is_answered_as_it_was_agreed_and_the_same_again_records_nothing(client: Client):
    asked = agreeing(working(working_days=[calendars_pb2.WEEKDAY_MONDAY, calendars_pb2.WEEKDAY_FRIDAY]))
    asked.agreement.effective_from.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
    position = client.suppliers.AgreeTerms(asked).position
    found = client.suppliers.GetSupplier(suppliers_pb2.GetSupplierRequest(supplier_id="acme", at_least=position))
    (agreed,) = [each for each in found.supplier.agreements if each.effective_from == asked.agreement.effective_from]
    assert agreed == asked.agreement
    asked.context.CopyFrom(context())
    assert client.suppliers.AgreeTerms(asked).position == position


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": ""}, "agreement.working.calendar.time_zone"),
        ({"time_zone": "Asia/Hangzhou"}, "agreement.working.calendar.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "agreement.working.calendar.time_zone"),
        ({"time_zone": "Asia"}, "agreement.working.calendar.time_zone"),
        ({"working_days": [9]}, "agreement.working.calendar.working_days[0]"),
        ({"opens": "9:00"}, "agreement.working.calendar.opens"),
        ({"closes": "24:01"}, "agreement.working.calendar.closes"),
        ({"closes": "09:59", "cut_off": ""}, "agreement.working.calendar.closes"),
        ({"cut_off": "18:01"}, "agreement.working.calendar.cut_off"),
        ({"holidays": ["2026-02-30"]}, "agreement.working.calendar.holidays[0]"),
        ({"holidays": ["2026-12-25", ""]}, "agreement.working.calendar.holidays[1]"),
        ({"holidays": ["2026-12-25"] * 1001}, "agreement.working.calendar.holidays"),
        ({"extra_days": ["2026-03-10"]}, "agreement.working.calendar.extra_days"),
    ],
    ids=str,
)
def test_a_calendar_that_cannot_be_is_refused_with_its_field(client: Client, change: dict[str, Any], field: str):
    assert fields_of(refused(client.suppliers.AgreeTerms, agreeing(working(**change)))) == [field]


def test_working_time_that_cannot_be_is_refused_with_its_field(client: Client):
    lacks, twice, odd = working(), working(), working()
    lacks.ClearField("calendar")
    odd.terms["send_within"].days = 1
    for name, unit, length in (("hours", "hours", 1001), ("days", "days", 367), ("none", "days", 0)):
        terms = working()
        setattr(terms.terms["answer_within"], unit, length)
        error = refused(client.suppliers.AgreeTerms, agreeing(terms))
        assert fields_of(error) == [f"agreement.working.terms[answer_within].{unit}"], name
    terms = working()
    terms.terms["feed_interval"].SetInParent()
    assert fields_of(refused(client.suppliers.AgreeTerms, agreeing(terms))) == [
        "agreement.working.terms[feed_interval]"
    ]
    assert fields_of(refused(client.suppliers.AgreeTerms, agreeing(lacks))) == ["agreement.working.calendar"]
    asked = agreeing(twice, dispatch_within_hours=48)
    assert fields_of(refused(client.suppliers.AgreeTerms, asked)) == ["agreement.dispatch_within_hours"]
    assert fields_of(refused(client.suppliers.AgreeTerms, agreeing(odd))) == ["agreement.working.terms"]


def test_any_number_of_peaks_is_agreed_but_none_that_add_up_to_years(client: Client):
    def peaks(hours: int, days: int) -> list[suppliers_pb2.PeakPeriod]:
        begins = [FRIDAY_15 + n * DAY for n in range(300)]
        return [
            suppliers_pb2.PeakPeriod(since=stamp(at), until=stamp(at + days * DAY), extra_hours=hours) for at in begins
        ]

    asked = agreeing(working(), peaks=peaks(1000, 1))
    asked.agreement.effective_from.FromDatetime(datetime(2019, 1, 1, tzinfo=UTC))
    position = client.suppliers.AgreeTerms(asked).position
    found = client.suppliers.GetSupplier(suppliers_pb2.GetSupplierRequest(supplier_id="acme", at_least=position))
    assert len(found.supplier.agreements[-1].peaks) == 300
    assert fields_of(refused(client.suppliers.AgreeTerms, agreeing(working(), peaks=peaks(501, 2)))) == [
        "agreement.peaks"
    ]


def sent(client: Client, number: str, at: datetime) -> supplier_orders_pb2.SupplierOrder:
    client.orders.PlaceOrder(order(number, placed_at=stamp(at - DAY)))
    request = supplier_orders_pb2.SendSupplierOrderRequest(
        context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(at)
    )
    client.orders.SendSupplierOrder(request)
    found: supplier_orders_pb2.SupplierOrder = client.get(f"shop/{number}").supplier_orders[0]
    return found


def test_clocks_of_a_supplier_order_go_by_the_suppliers_calendar(client: Client):
    found = sent(client, "friday", FRIDAY_15)
    # Three hours of Friday and five of Monday; Tuesday is a holiday.
    assert found.acknowledge_by == stamp(FRIDAY_15 + 3 * DAY - timedelta(hours=1))
    assert found.dispatch_by == stamp(FRIDAY_15 + 5 * DAY)
    late = sent(client, "late", FRIDAY_15 + timedelta(hours=1, seconds=1))
    # After the cut-off: from Monday at nine on.
    assert late.dispatch_by == stamp(datetime(2026, 3, 12, 1, tzinfo=UTC))


def test_a_hold_gives_back_the_working_time_that_it_took(client: Client):
    sent(client, "held", FRIDAY_15)
    held: dict[str, Any] = {"order_id": "shop/held", "reason": orders_pb2.HOLD_REASON_FRAUD_REVIEW, "owner": "mia"}
    since, until = (stamp(FRIDAY_15 + timedelta(hours=hours)) for hours in (2, 2 + 66))
    client.orders.PlaceHold(orders_pb2.PlaceHoldRequest(context=context(), at=since, **held))
    client.orders.ReleaseHold(orders_pb2.ReleaseHoldRequest(context=context(), at=until, **held))
    found = client.get("shop/held").supplier_orders[0]
    # From Friday 17:00 to Monday 11:00 an hour and two would have been worked.
    assert found.dispatch_by == stamp(FRIDAY_15 + 5 * DAY + timedelta(hours=3))


def test_due_times_of_a_supplier_have_the_zone_of_its_calendar(client: Client, service: Service, capsys: Any):
    found = sent(client, "zoned", FRIDAY_15)
    assert found.time_zone == "Asia/Shanghai"
    asked = inquiries_pb2.AskInquiryRequest(
        context=context(),
        inquiry_id="zoned",
        asked_by=common_pb2.PARTY_RETAILER,
        asked_of=common_pb2.PARTY_SUPPLIER,
        supplier_order_id="shop/zoned/1",
        topic=inquiries_pb2.INQUIRY_TOPIC_PRODUCT,
        at=stamp(FRIDAY_15),
    )
    position = client.inquiries.AskInquiry(asked).position
    listing = inquiries_pb2.ListInquiriesRequest(order_id="shop/zoned", at_least=position)
    (listed,) = client.inquiries.ListInquiries(listing).inquiries
    read = client.inquiries.GetInquiry(inquiries_pb2.GetInquiryRequest(inquiry_id="zoned")).inquiry
    assert (listed.time_zone, read.time_zone) == ("Asia/Shanghai", "Asia/Shanghai")
    breaches = obligations_pb2.ListBreachesRequest(supplier_id="acme", at_least=position)
    due = obligations_pb2.ListObligationsRequest(supplier_id="acme", at_least=position)
    listed_due = [*client.reports.ListObligations(due).obligations, *client.reports.ListBreaches(breaches).breaches]
    of_it = [each for each in listed_due if each.object_id in ("shop/zoned/1", "zoned")]
    assert {each.time_zone for each in of_it} == {"Asia/Shanghai"}
    assert {each.object_id for each in of_it} == {"shop/zoned/1", "zoned"}

    def shown(*arguments: str) -> str:
        assert run([*arguments, "--server", service.address]) == 0
        return str(capsys.readouterr().out)

    assert re.search(r"2026-03-06 15:00\+08:00 +2026-03-11 15:00\+08:00", shown("show", "shop/zoned"))
    assert "acme answers by 2026-03-09 15:00+08:00" in shown("inquiry", "show", "zoned")
    assert re.search(r"zoned +.*2026-03-09 15:00\+08:00", shown("inquiry", "list", "--order", "shop/zoned"))
    lines = shown("report", "due", "--supplier", "acme") + shown("report", "breaches", "--supplier", "acme")
    assert re.search(r"shop/zoned/1 +dispatch +acme +Acme +2026-03-11 15:00\+08:00", lines)


def test_the_retailers_calendar_goes_before_its_hours(client: Client, service: Service, capsys: Any):
    own = calendars_pb2.WorkingTerms(
        calendar=calendars_pb2.WorkingCalendar(time_zone="Europe/Berlin", opens="08:00", closes="16:00"),
        terms={"answer_within": calendars_pb2.WorkingTime(days=1)},
    )
    policy = admin_pb2.Policy(answer_within_hours=2, working=own)
    asked = admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=stamp(FRIDAY_15 - 30 * DAY))
    command = batch_pb2.BatchCommand(agree_policy=asked)
    assert client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=[command])).outcomes[0].HasField("receipt")
    client.orders.PlaceOrder(order("asks", placed_at=stamp(FRIDAY_15 - DAY)))
    inquiry = inquiries_pb2.AskInquiryRequest(
        context=context(),
        inquiry_id="i1",
        asked_by=common_pb2.PARTY_CUSTOMER,
        asked_of=common_pb2.PARTY_RETAILER,
        order_id="shop/asks",
        topic=inquiries_pb2.INQUIRY_TOPIC_PRODUCT,
        text="Is it green?",
        at=stamp(FRIDAY_15 + timedelta(hours=5)),
    )
    client.inquiries.AskInquiry(inquiry)
    found = client.inquiries.GetInquiry(inquiries_pb2.GetInquiryRequest(inquiry_id="i1")).inquiry
    assert found.answer_by == stamp(FRIDAY_15 + 3 * DAY + timedelta(hours=5))
    assert found.time_zone == ""
    assert run(["inquiry", "list", "--order", "shop/asks", "--server", service.address]) == 0
    assert re.search(r"i1 +shop/asks .* 2026-03-09 13:00\+01:00", capsys.readouterr().out)
    unknown = admin_pb2.AgreePolicyRequest(context=context(), policy=policy)
    unknown.policy.working.terms["dispatch_within"].days = 1
    assert fields_of(refused(client.admin.AgreePolicy, unknown)) == ["policy.working.terms"]
