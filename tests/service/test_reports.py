"""ReportService over a real socket: what was recorded a moment ago is what it answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.timestamp_pb2 import Timestamp

from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    cases_pb2,
    common_pb2,
    inquiries_pb2,
    messages_pb2,
    obligations_pb2,
    orders_pb2,
    parcels_pb2,
    rates_pb2,
    recoveries_pb2,
    reports_pb2,
    scorecards_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    totals_pb2,
    tracking_pb2,
    trade_pb2,
    work_pb2,
)
from tests.support.service import (
    Client,
    Service,
    context,
    fields_of,
    reason_of,
    refused,
    stamp,
)

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STUBS = {
    "admin": admin_pb2,
    "audit": audit_pb2,
    "cases": cases_pb2,
    "inquiries": inquiries_pb2,
    "messages": messages_pb2,
    "recoveries": recoveries_pb2,
    "reports": reports_pb2,
    "work": work_pb2,
}
"""Which protos hold lists, and under which name the test's client has their service."""


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        yield client


@pytest.fixture(scope="module")
def last_position(client: Client) -> int:
    """One order on its way, one that is overdue, one that is on hold; returns the last position."""
    client.approve(at=NOW - 30 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48, first_scan_within_hours=24)
    client.feed(10)
    sent_at = NOW - 10 * HOUR
    for number, placed_at in (("way", sent_at), ("late", NOW - 4 * DAY)):
        client.place(number, placed_at=stamp(placed_at), promised_by=stamp(NOW + 5 * DAY))
        client.orders.SendSupplierOrder(
            supplier_orders_pb2.SendSupplierOrderRequest(
                context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(placed_at)
            )
        )
    client.orders.ShipSupplierOrder(
        supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id="shop/way/1",
            carrier="DHL",
            tracking_number="jd 1",
            at=stamp(NOW - 9 * HOUR),
        )
    )
    scan = parcels_pb2.Checkpoint(
        at=stamp(NOW - 8 * HOUR), status=parcels_pb2.PARCEL_STATUS_IN_TRANSIT, city="Köln", country="DE"
    )
    client.parcels.RecordCheckpoints(
        parcels_pb2.RecordCheckpointsRequest(
            context=context(), carrier="dhl", tracking_number="JD1", checkpoints=[scan]
        )
    )
    last = client.place("hold", payment=orders_pb2.PAYMENT_STATE_PENDING)
    return client.read_up_to(int(last.position))


def test_tracking_reads_what_was_just_written(client: Client, last_position: int):
    request = tracking_pb2.GetTrackingRequest(order_id="shop/way", at_least=last_position)
    answer = client.reports.GetTracking(request)
    order = answer.order
    assert answer.position >= last_position
    assert (order.channel, order.status) == ("shop", orders_pb2.ORDER_STATUS_DISPATCHED)
    assert order.expected_by == order.promised_by == stamp(NOW + 5 * DAY)
    assert order.lines[0].units.shipped == 1
    (supplier_order,) = order.supplier_orders
    assert supplier_order.status == supplier_orders_pb2.SUPPLIER_ORDER_STATUS_SHIPPED
    assert supplier_order.dispatched_at == stamp(NOW - 9 * HOUR)
    (parcel,) = order.parcels
    assert (parcel.carrier, parcel.tracking_number, parcel.epoch) == ("dhl", "JD1", 1)
    assert parcel.lines == [common_pb2.LineUnits(line_no=1, units=1)]
    assert (parcel.last_scan.city, parcel.last_scan.country) == ("", "DE")
    assert parcel.last_scan.at == stamp(NOW - 8 * HOUR)
    way = parcels_pb2.GetParcelRequest(carrier="dhl", tracking_number="JD1", with_personal_data=True)
    assert [scan.city for scan in client.parcels.GetParcel(way).parcel.checkpoints] == ["Köln"]
    assert parcel.last_scan.status == parcels_pb2.PARCEL_STATUS_IN_TRANSIT


def test_a_number_is_found_however_it_is_written(client: Client, last_position: int):
    for carrier in ("", "DHL"):
        request = tracking_pb2.FindParcelsRequest(tracking_number=" jd1 ", carrier=carrier, at_least=last_position)
        (parcel,) = client.reports.FindParcels(request).parcels
        assert parcel.order_id == "shop/way"
    assert not client.reports.FindParcels(tracking_pb2.FindParcelsRequest(tracking_number="XX")).parcels


def test_orders_are_listed_page_by_page(client: Client, last_position: int):
    found, token = [], ""
    for _ in range(3):
        page = common_pb2.PageRequest(page_size=1, page_token=token)
        answer = client.reports.ListOrders(tracking_pb2.ListOrdersRequest(page=page, at_least=last_position))
        found += [order.order_id for order in answer.orders]
        token = answer.next_page_token
    assert (found, token) == (["shop/late", "shop/way", "shop/hold"], "")
    request = tracking_pb2.ListOrdersRequest(
        statuses=[orders_pb2.ORDER_STATUS_ON_HOLD], channel="shop", placed_since=stamp(NOW - HOUR)
    )
    (order,) = client.reports.ListOrders(request).orders
    assert order.holds[0].reason == orders_pb2.HOLD_REASON_AWAITING_PAYMENT


def test_a_page_token_goes_on_with_the_filters_that_it_was_given_for(client: Client, last_position: int):
    request = tracking_pb2.ListOrdersRequest(page=common_pb2.PageRequest(page_size=1))
    request.page.page_token = client.reports.ListOrders(request).next_page_token
    for other in (
        tracking_pb2.ListOrdersRequest(statuses=[orders_pb2.ORDER_STATUS_ON_HOLD], page=request.page),
        tracking_pb2.ListOrdersRequest(channel="shop", page=request.page),
    ):
        error = refused(client.reports.ListOrders, other)
        assert fields_of(error) == ["page.page_token"]
        assert "begin again without a token" in str(error.details())
    # Its size, and how new the answer has to be, are no part of the question.
    request.page.page_size, request.at_least = 2, last_position
    assert [order.order_id for order in client.reports.ListOrders(request).orders] == ["shop/way", "shop/hold"]


NEEDED: dict[str, dict[str, Any]] = {
    "GetHistory": {"order_id": "shop/way"},
    "ListListings": {"sku": "tea"},
    "ListRateCases": {"name": rates_pb2.RATE_NAME_ON_TIME_DISPATCH},
    "ListStatementEntries": {"supplier_id": "acme"},
    "ListStockMovements": {"supplier_id": "acme", "sku": "tea"},
    "ReviewTrade": {"group_by": trade_pb2.TRADE_GROUP_CHANNEL},
}
"""What some lists cannot be asked without."""


def _lists() -> Iterator[tuple[str, Any, str]]:
    """Every list of the contract: its RPC, the class of its request, and the stub that has it."""
    for stub, module in STUBS.items():
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if "page" in method.input_type.fields_by_name:
                    yield method.name, message_factory.GetMessageClass(method.input_type), stub


@pytest.mark.parametrize(("name", "request_class", "stub"), [*_lists()])
def test_no_list_takes_the_page_token_of_another(
    client: Client, last_position: int, name: str, request_class: Any, stub: str
):
    foreign = client.reports.ListOrders(tracking_pb2.ListOrdersRequest(page=common_pb2.PageRequest(page_size=1)))
    page = common_pb2.PageRequest(page_token=foreign.next_page_token)
    asked = request_class(page=page, **NEEDED.get(name, {}))
    rpc = getattr(getattr(client, stub), name)
    if name == "ListOrders":
        rpc(asked)
    else:
        assert fields_of(refused(rpc, asked)) == ["page.page_token"]


def test_obligations_breaches_and_counts(client: Client, last_position: int):
    dispatch = obligations_pb2.OBLIGATION_CLOCK_DISPATCH
    missed = obligations_pb2.OBLIGATION_STATE_MISSED
    # The service's own clock notices what is overdue.
    for _ in range(200):
        answer = client.reports.ListBreaches(
            obligations_pb2.ListBreachesRequest(clock=dispatch, at_least=last_position)
        )
        if answer.breaches:
            break
        time.sleep(0.05)
    (breach,) = answer.breaches
    assert (breach.object_id, breach.supplier_id, breach.state) == ("shop/late/1", "acme", missed)
    assert breach.due == stamp(NOW - 2 * DAY)
    again = obligations_pb2.ListObligationsRequest(state=missed, clock=dispatch, supplier_id="acme")
    assert client.reports.ListObligations(again).obligations == [breach]
    window = obligations_pb2.ListBreachesRequest(due_since=stamp(NOW - HOUR), due_until=stamp(NOW), clock=dispatch)
    assert not client.reports.ListBreaches(window).breaches

    met = obligations_pb2.ListObligationsRequest(state=obligations_pb2.OBLIGATION_STATE_MET)
    assert {each.clock for each in client.reports.ListObligations(met).obligations} == {
        obligations_pb2.OBLIGATION_CLOCK_ACKNOWLEDGE,
        dispatch,
        obligations_pb2.OBLIGATION_CLOCK_FIRST_SCAN,
    }
    soon = obligations_pb2.ListObligationsRequest(due_within_hours=24 * 6)
    assert [each.object_id for each in client.reports.ListObligations(soon).obligations] == ["shop/late", "shop/way"]
    # No hour at all is an answer: what is overdue, and not whatever is due.
    for hours in (0, 1):
        none = obligations_pb2.ListObligationsRequest(due_within_hours=hours)
        assert not client.reports.ListObligations(none).obligations

    counts = client.reports.CountObligations(obligations_pb2.CountObligationsRequest(supplier_id="acme")).counts
    assert [(each.met, each.missed) for each in counts if each.clock == dispatch] == [(1, 1)]


def test_rates_and_what_is_behind_them(client: Client, last_position: int):
    name = rates_pb2.RATE_NAME_ON_TIME_DISPATCH
    window = scorecards_pb2.Window(since=stamp(NOW - 60 * DAY), until=stamp(NOW + 60 * DAY), now=stamp(NOW + 30 * DAY))
    answer = client.reports.GetRates(
        scorecards_pb2.GetRatesRequest(supplier_id="acme", window=window, at_least=last_position)
    )
    rates = {rate.name: rate for rate in answer.scorecard.rates}
    assert sorted(rates) == sorted(value for value in rates_pb2.RateName.values() if value)
    rate = rates[name]
    assert (rate.numerator, rate.denominator, rate.status) == (1, 2, rates_pb2.RATE_STATUS_BREACH)
    assert (rate.target_basis_points, rate.target_is_most) == (9500, False)
    assert rates[rates_pb2.RATE_NAME_CANCELLATION].status == rates_pb2.RATE_STATUS_OK
    strict = [rates[each].target_is_strict for each in (name, rates_pb2.RATE_NAME_CANCELLATION)]
    assert strict == [False, True]
    (card,) = client.reports.ListRates(scorecards_pb2.ListRatesRequest(window=window)).scorecards
    assert card == answer.scorecard

    late = scorecards_pb2.CASE_FILTER_NOT_IN_NUMERATOR
    request = scorecards_pb2.ListRateCasesRequest(supplier_id="acme", name=name, window=window, filter=late)
    (case,) = client.reports.ListRateCases(request).cases
    assert (case.object_id, case.order_id, case.in_numerator) == ("shop/late/1", "shop/late", False)
    assert case.at == stamp(NOW - 2 * DAY)
    assert not case.HasField("happened_at")


def test_without_a_window_each_rate_has_its_own(client: Client, last_position: int):
    quiet = suppliers_pb2.RegisterSupplierRequest(context=context(), supplier_id="quiet", name="Quiet Ltd")
    client.suppliers.RegisterSupplier(quiet)
    asked = scorecards_pb2.GetRatesRequest(supplier_id="quiet", at_least=last_position)
    card = client.reports.GetRates(asked).scorecard
    days = {rate.name: (rate.until.ToDatetime() - rate.since.ToDatetime()).days for rate in card.rates}
    assert sorted(days.values()) == [7, 10, 30, 30, 30, 60, 90, 90, 90, 90, 90, 90, 90]
    assert {rate.status for rate in card.rates} == {rates_pb2.RATE_STATUS_NO_DATA}


def test_the_summary_and_the_totals_of_suppliers(client: Client, last_position: int):
    found = client.reports.GetSummary(totals_pb2.GetSummaryRequest(channel="shop", at_least=last_position))
    assert (found.orders, found.supplier_orders, found.suppliers, found.units) == (3, 2, 1, 3)
    assert found.gmv == [common_pb2.Money(amount_minor=2970, currency="EUR")]
    assert (found.supplier_orders_dispatched, found.supplier_orders_dispatched_on_time) == (1, 1)
    totals = client.reports.ListSupplierTotals(totals_pb2.ListSupplierTotalsRequest()).totals
    assert totals == [totals_pb2.SupplierTotal(supplier_id="acme", supplier_orders=2, dispatched=1, on_time=1, late=0)]
    assert client.reports.GetSummary(totals_pb2.GetSummaryRequest(channel="other")).orders == 0


def test_what_cannot_be_answered_is_refused(client: Client, last_position: int):
    reports = client.reports
    unknown = refused(
        reports.GetTracking, tracking_pb2.GetTrackingRequest(order_id="shop/none", at_least=last_position)
    )
    assert (unknown.code(), reason_of(unknown)) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_ORDER")
    nothing = orders_pb2.ORDER_STATUS_UNSPECIFIED
    malformed = {
        "order_id": (reports.GetTracking, tracking_pb2.GetTrackingRequest(order_id="way")),
        "at_least": (reports.GetSummary, totals_pb2.GetSummaryRequest(at_least=-1)),
        "name": (reports.ListRateCases, scorecards_pb2.ListRateCasesRequest()),
        "statuses[0]": (
            reports.ListOrders,
            tracking_pb2.ListOrdersRequest(statuses=[nothing]),
        ),
        "page.page_size": (reports.ListRates, scorecards_pb2.ListRatesRequest(page=_page(1001))),
        "page.page_token": (reports.ListRates, scorecards_pb2.ListRatesRequest(page=_page(1, "?"))),
        "due_within_hours": (reports.ListObligations, obligations_pb2.ListObligationsRequest(due_within_hours=-1)),
        "window.since": (reports.GetRates, scorecards_pb2.GetRatesRequest(window=_backwards())),
        "window.until": (
            reports.GetRates,
            scorecards_pb2.GetRatesRequest(window=scorecards_pb2.Window(until=Timestamp(seconds=-1))),
        ),
        "window.now": (
            reports.GetRates,
            scorecards_pb2.GetRatesRequest(window=scorecards_pb2.Window(now=Timestamp(seconds=2**35))),
        ),
    }
    for field, (call, request) in malformed.items():
        error = refused(call, request)
        assert (error.code(), fields_of(error)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def _page(size: int, token: str = "") -> common_pb2.PageRequest:
    return common_pb2.PageRequest(page_size=size, page_token=token)


def _backwards() -> scorecards_pb2.Window:
    return scorecards_pb2.Window(since=stamp(NOW), until=stamp(NOW - DAY))


def test_a_position_that_the_log_has_not_reached_is_refused_at_once(client: Client, last_position: int):
    request = totals_pb2.GetSummaryRequest(at_least=last_position + 10**6)
    with pytest.raises(grpc.RpcError) as caught:
        client.reports.GetSummary(request, timeout=30)
    error: grpc.RpcError = caught.value
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.OUT_OF_RANGE, "BEYOND_THE_LOG")
