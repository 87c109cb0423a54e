"""Clocks that answers stop: requests to cancel, refunds, cases of suppliers; over a real socket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fulfilment.v1 import (
    admin_pb2,
    cases_pb2,
    common_pb2,
    obligations_pb2,
    orders_pb2,
    parcels_pb2,
    supplier_orders_pb2,
    suppliers_pb2,
    work_pb2,
)
from tests.support.service import Client, Service, context, fields_of, reason_of, refused, stamp
from tests.support.terminal import Console
from tests.support.waiting import wait_for

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        client.approve(at=NOW - 30 * DAY, cancel_answer_within_hours=24, resolve_within_hours=72)
        client.feed(100)
        yield client


def sent(client: Client, number: str, at: datetime, units: int = 3) -> str:
    client.place(number, units=units, placed_at=stamp(at))
    name = f"shop/{number}/1"
    client.orders.SendSupplierOrder(
        supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=name, at=stamp(at))
    )
    return name


def cancel(client: Client, number: str, at: datetime) -> None:
    units = [common_pb2.LineUnits(line_no=1, units=1)]
    request = orders_pb2.CancelOrderRequest(
        context=context(), order_id=f"shop/{number}", lines=units, by=common_pb2.PARTY_CUSTOMER, at=stamp(at)
    )
    client.orders.CancelOrder(request)


def answer(client: Client, name: str, at: datetime | None = None) -> None:
    request = supplier_orders_pb2.AnswerCancelRequestRequest(context=context(), supplier_order_id=name, agreed=True)
    if at is not None:
        request.at.CopyFrom(stamp(at))
    client.orders.AnswerCancelRequest(request)


def states(client: Client, clock: Any) -> dict[str, int]:
    """What became of the clocks of this name, by their object."""
    found: dict[str, int] = {}
    for state in (OPEN, MET, MISSED, WITHDRAWN):
        asked = obligations_pb2.ListObligationsRequest(clock=clock, state=state)
        found |= {each.object_id: each.state for each in client.reports.ListObligations(asked).obligations}
    return found


def work_of(client: Client, order_id: str) -> list[Any]:
    listed = client.work.ListWork(work_pb2.ListWorkRequest()).work
    return [each for each in listed if each.order_id == order_id and each.kind == work_pb2.WORK_KIND_BREACH]


CANCEL, REFUND = obligations_pb2.OBLIGATION_CLOCK_CANCEL_ANSWER, obligations_pb2.OBLIGATION_CLOCK_REFUND_PAID
RESOLUTION = obligations_pb2.OBLIGATION_CLOCK_RESOLUTION
OPEN, MET, MISSED, WITHDRAWN = (
    obligations_pb2.OBLIGATION_STATE_OPEN,
    obligations_pb2.OBLIGATION_STATE_MET,
    obligations_pb2.OBLIGATION_STATE_MISSED,
    obligations_pb2.OBLIGATION_STATE_WITHDRAWN,
)


def test_a_request_to_cancel_that_nobody_answers_is_a_breach_and_work_until_it_is_answered(client: Client):
    late, soon = sent(client, "late", NOW - 3 * DAY), sent(client, "soon", NOW - DAY)
    cancel(client, "late", NOW - 2 * DAY)
    cancel(client, "soon", NOW - HOUR)
    wait_for(lambda: states(client, CANCEL) == {late: MISSED, soon: OPEN})
    (supplier_order,) = client.get("shop/late").supplier_orders
    assert supplier_order.cancel_answer_by == stamp(NOW - DAY)
    assert supplier_order.missed_clocks == ["cancel_answer"]
    (item,) = wait_for(lambda: work_of(client, "shop/late"))
    assert (item.reason, item.due) == ("cancel_answer", stamp(NOW - DAY))
    assert item.next.rpc.endswith(".AnswerCancelRequest")

    answer(client, late)
    answer(client, soon)
    wait_for(lambda: states(client, CANCEL) == {late: MISSED, soon: MET})
    wait_for(lambda: not work_of(client, "shop/late"))


def test_an_answer_that_is_told_late_withdraws_the_breach(client: Client):
    told = sent(client, "told", NOW - 3 * DAY)
    cancel(client, "told", NOW - 2 * DAY)
    wait_for(lambda: states(client, CANCEL).get(told) == MISSED)
    answer(client, told, NOW - 2 * DAY + HOUR)
    wait_for(lambda: states(client, CANCEL).get(told) == WITHDRAWN)


def test_a_refund_and_a_case_have_their_clocks_and_the_read_model_is_as_one_built_anew(client: Client):
    name, order_id, days = sent(client, "case", NOW - 9 * DAY), "shop/case", iter(range(8, 0, -1))

    def tell(rpc: Any, request: Any) -> None:
        request.context.CopyFrom(context())
        request.at.CopyFrom(stamp(NOW - next(days) * DAY))
        rpc(request)

    units = [common_pb2.LineUnits(line_no=1, units=3)]
    which: dict[str, Any] = {"case_id": "c-1"}
    carried: dict[str, Any] = {"carrier": "dhl", "tracking_number": "P-CASE"}
    shipped = supplier_orders_pb2.ShipSupplierOrderRequest(supplier_order_id=name, lines=units, **carried)
    tell(client.orders.ShipSupplierOrder, shipped)
    at = stamp(NOW - next(days) * DAY)
    scan = parcels_pb2.Checkpoint(status=parcels_pb2.PARCEL_STATUS_DELIVERED, at=at)
    scans = parcels_pb2.RecordCheckpointsRequest(context=context(), checkpoints=[scan], **carried)
    client.parcels.RecordCheckpoints(scans)
    reason = cases_pb2.CASE_REASON_DAMAGED
    tell(client.cases.OpenCase, cases_pb2.OpenCaseRequest(order_id=order_id, reason=reason, lines=units, **which))
    tell(client.cases.StartReview, cases_pb2.StartReviewRequest(**which))
    supplier = common_pb2.PARTY_SUPPLIER
    tell(client.cases.RuleLiability, cases_pb2.RuleLiabilityRequest(liable=supplier, reasons=["broken"], **which))
    tell(client.cases.ApproveRemedy, cases_pb2.ApproveRemedyRequest(remedy=cases_pb2.REMEDY_REFUND, **which))
    tell(client.cases.GrantRefund, cases_pb2.GrantRefundRequest(refund_id="r-1", **which))
    case = client.cases.GetCase(cases_pb2.GetCaseRequest(**which)).case
    assert case.refunds[0].pay_by == stamp(NOW - 2 * DAY + 72 * HOUR)
    assert case.ruling.resolve_by == stamp(NOW - 4 * DAY + 72 * HOUR)
    wait_for(lambda: states(client, RESOLUTION) == {"c-1/acme": MISSED})
    assert states(client, REFUND)["c-1/r-1"] == OPEN
    (item,) = wait_for(lambda: work_of(client, order_id))
    assert (item.reason, item.supplier_id) == ("resolution", "acme")
    assert item.next.rpc.endswith(".AskInquiry")

    tell(client.cases.RecordRefundPaid, cases_pb2.RecordRefundPaidRequest(refund_id="r-1", **which))
    wait_for(lambda: states(client, REFUND)["c-1/r-1"] == MET)
    wait_for(lambda: not work_of(client, order_id))
    for name in ("sla", "work", "supplier_performance"):
        client.admin.RebuildProjection(admin_pb2.RebuildProjectionRequest(name=name, verify_only=True))
    wait_for(lambda: verified(client) >= {"sla", "work", "supplier_performance"})


def verified(client: Client) -> set[str]:
    """The read models that a rebuild found to be right."""
    status = client.admin.GetStatus(admin_pb2.GetStatusRequest())
    return {each.name for each in status.projections if each.rebuild.startswith("verified")}


def test_what_is_owed_without_a_case_is_late_when_nobody_pays_it_and_due_work_until_somebody_does(
    client: Client, service: Service
):
    ff = Console(service.address)
    for number, at in (("owed", NOW - 4 * DAY), ("paid", NOW - DAY)):
        client.place(number, units=3, placed_at=stamp(at))
        cancel(client, number, at + HOUR)
    owed, paid = (f"shop/{number}/owed-1" for number in ("owed", "paid"))
    assert client.get("shop/owed").money.pay_by == stamp(NOW - 4 * DAY + 73 * HOUR)
    wait_for(lambda: states(client, REFUND).get(owed) == MISSED)
    assert states(client, REFUND)[paid] == OPEN

    def refunds(order_id: str) -> list[Any]:
        asked = work_pb2.ListWorkRequest(kinds=[work_pb2.WORK_KIND_REFUND])
        return [each for each in client.work.ListWork(asked).work if each.order_id == order_id]

    (item,) = wait_for(lambda: refunds("shop/owed"))
    assert (item.due, item.raised_at) == (stamp(NOW - 4 * DAY + 73 * HOUR), stamp(NOW - 4 * DAY + HOUR))
    assert not work_of(client, "shop/owed")
    assert "9.90 EUR is owed to the customer until" in ff("show", "shop/paid").out
    assert re.search(r"shop/owed/owed-1 +refund paid", ff("report", "late", "--owner", "retailer").out)

    assert ff("order", "refund-paid", "shop/owed", "back-1").code == 0
    assert ff("order", "refund-paid", "shop/paid", "back-2").code == 0
    wait_for(lambda: (states(client, REFUND)[owed], states(client, REFUND)[paid]) == (MISSED, MET))
    wait_for(lambda: not refunds("shop/owed"))


def test_all_clocks_are_listed_with_the_terms_in_force_and_where_they_are_set(client: Client, service: Service):
    ff = Console(service.address)
    clocks = client.admin.ListClocks(obligations_pb2.ListClocksRequest()).clocks
    assert sorted(each.clock for each in clocks) == [n for n in obligations_pb2.ObligationClock.values() if n]
    by_clock = {each.clock: each for each in clocks}
    (term,) = by_clock[REFUND].terms
    assert (term.name, term.hours, by_clock[REFUND].owner) == ("policy.refund_within", 72, common_pb2.PARTY_RETAILER)
    assert not by_clock[CANCEL].terms[0].HasField("length")  # without a supplier nobody agreed on it
    asked = obligations_pb2.ListClocksRequest(supplier_id="acme")
    (term,) = next(each for each in client.admin.ListClocks(asked).clocks if each.clock == CANCEL).terms
    assert (term.name, term.hours) == ("agreement.cancel_answer_within", 24)

    since = f"{NOW + 400 * DAY:%Y-%m-%d}"
    assert ff("policy", "calendar", "--time-zone", "Asia/Shanghai", "--from", since).code == 0
    assert ff("policy", "set", "working.terms.send_within=2wd", "--from", since).code == 0
    shown = ff("clock", "list", "--supplier", "acme", "--at", since).out
    assert re.search(r"send +retailer +2 working days +Asia/Shanghai +policy\.send_within", shown), shown
    assert re.search(r"cancel answer +supplier +24 hours +agreement\.cancel_answer_within", shown), shown
    assert re.search(r"dispatch +supplier +not agreed +agreement\.dispatch_within", shown), shown
    assert re.search(r"delivery +retailer +the promise", shown), shown
    assert re.search(r"60 days +policy\.claim_terms\.loss_filing_days", shown), shown
    assert "as each agrees" in ff("clock", "list").out
    told = ff("clock", "list", "--json").json
    assert {each["stops"] for each in told} == {"never", told[0]["stops"]}
    unknown = obligations_pb2.ListClocksRequest(supplier_id="nobody")
    assert reason_of(refused(client.admin.ListClocks, unknown)) == "UNKNOWN_SUPPLIER"


def test_terms_of_these_clocks_have_bounds_and_are_in_hours_or_in_working_time(client: Client):
    for name in ("cancel_answer_within_hours", "resolve_within_hours"):
        agreement = suppliers_pb2.Agreement()
        setattr(agreement, name, 10_001)
        request = suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id="acme", agreement=agreement)
        assert fields_of(refused(client.suppliers.AgreeTerms, request)) == [f"agreement.{name}"]
    policy = admin_pb2.AgreePolicyRequest(context=context(), policy=admin_pb2.Policy(refund_within_hours=0))
    assert fields_of(refused(client.admin.AgreePolicy, policy)) == ["policy.refund_within_hours"]
