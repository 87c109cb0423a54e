"""Reviews and proposals over a real socket, and the watch that finds what is to be proposed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from adapters.clock import Clocks
from adapters.database.postgres import open_pool
from adapters.tenants import Tenant, Tenants
from fulfilment.v1 import (
    admin_pb2,
    audit_pb2,
    batch_pb2,
    common_pb2,
    order_money_pb2,
    rates_pb2,
    scorecards_pb2,
    supplier_orders_pb2,
    supplier_reviews_pb2,
    suppliers_pb2,
)
from tests.support.projecting import catch_up, connect, write_down
from tests.support.scenario import (
    HOUR,
    NOON,
    Scenario,
    a_shop,
    line,
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
from tests.support.stalls import EmptyTenant

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
LATE, DISPATCH = rates_pb2.RATE_NAME_LATE_SHIPMENT_30_DAYS, rates_pb2.RATE_NAME_ON_TIME_DISPATCH


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.address) as client:
        yield client


@pytest.fixture(scope="module")
def last_position(client: Client) -> int:
    """Two orders of acme, of which one was shipped late and charged back; two cases are enough to be proposed."""
    policy = admin_pb2.Policy(
        suspension_least_cases=2,
        review_every_days=30,
        rate_targets=admin_pb2.RateTargets(on_time_dispatch=4_000, order_defect=0),
        rate_weights=admin_pb2.RateWeights(order_defect=0),
    )
    since = stamp(NOW - 60 * DAY)
    client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy, effective_from=since))
    for supplier_id in ("acme", "bolt"):
        client.approve(supplier_id, at=NOW - 40 * DAY, acknowledge_within_hours=24, dispatch_within_hours=48)
    client.feed(10)
    placed_at = NOW - 20 * DAY
    for number, hours in (("good", 24), ("late", 72)):
        client.place(number, placed_at=stamp(placed_at))
        sent: dict[str, Any] = {"supplier_order_id": f"shop/{number}/1"}
        client.orders.SendSupplierOrder(
            supplier_orders_pb2.SendSupplierOrderRequest(context=context(), **sent, at=stamp(placed_at))
        )
        client.orders.ShipSupplierOrder(
            supplier_orders_pb2.ShipSupplierOrderRequest(
                context=context(), **sent, carrier="dhl", tracking_number=number, at=stamp(placed_at + hours * HOUR)
            )
        )
    return client.read_up_to(int(client.orders.RecordChargeback(_chargeback()).position))


def _chargeback(**more: Any) -> order_money_pb2.RecordChargebackRequest:
    fields: dict[str, Any] = {"order_id": "shop/late", "chargeback_id": "cb-1", "reason": "4853"}
    fields |= {"amount": common_pb2.Money(amount_minor=990, currency="EUR")}
    return order_money_pb2.RecordChargebackRequest(context=context(), **{**fields, **more})


def review(client: Client, at_least: int, supplier_id: str = "acme", **more: Any) -> Any:
    request = suppliers_pb2.ReviewSupplierRequest(context=context(), supplier_id=supplier_id, at_least=at_least, **more)
    return client.suppliers.ReviewSupplier(request)


def supplier(client: Client, supplier_id: str = "acme") -> Any:
    return client.suppliers.GetSupplier(suppliers_pb2.GetSupplierRequest(supplier_id=supplier_id)).supplier


# --- over gRPC ------------------------------------------------------------------------------------


def test_a_chargeback_is_kept_and_makes_a_defect(client: Client, last_position: int):
    assert client.orders.RecordChargeback(_chargeback()).position >= last_position
    history = client.audit.GetHistory(audit_pb2.GetHistoryRequest(order_id="shop/late")).facts
    assert [each.name for each in history].count("order.chargeback_recorded") == 1
    differs = refused(
        client.orders.RecordChargeback, _chargeback(amount=common_pb2.Money(amount_minor=1, currency="EUR"))
    )
    assert (differs.code(), reason_of(differs)) == (grpc.StatusCode.ALREADY_EXISTS, "CHARGEBACK_DIFFERS")
    unknown = refused(client.orders.RecordChargeback, _chargeback(order_id="shop/none"))
    assert reason_of(unknown) == "UNKNOWN_ORDER"
    for field, wrong in (
        ("amount.amount_minor", {"amount": common_pb2.Money(currency="EUR")}),
        ("chargeback_id", {"chargeback_id": ""}),
    ):
        assert fields_of(refused(client.orders.RecordChargeback, _chargeback(**wrong))) == [field]
    request = scorecards_pb2.ListRateCasesRequest(
        supplier_id="acme",
        name=rates_pb2.RATE_NAME_ORDER_DEFECT,
        filter=scorecards_pb2.CASE_FILTER_IN_NUMERATOR,
        at_least=last_position,
    )
    assert [each.object_id for each in client.reports.ListRateCases(request).cases] == ["shop/late"]


def test_targets_are_those_that_were_agreed(client: Client, last_position: int):
    agreement = suppliers_pb2.Agreement(
        effective_from=stamp(NOW - 30 * DAY), acknowledge_within_hours=24, acknowledgement_target_basis_points=5_000
    )
    request = suppliers_pb2.AgreeTermsRequest(context=context(), supplier_id="acme", agreement=agreement)
    position = client.suppliers.AgreeTerms(request).position
    found = client.reports.GetRates(scorecards_pb2.GetRatesRequest(supplier_id="acme", at_least=position))
    rates = {each.name: each for each in found.scorecard.rates}
    assert (rates[DISPATCH].target_basis_points, rates[DISPATCH].status) == (4_000, rates_pb2.RATE_STATUS_OK)
    assert rates[rates_pb2.RATE_NAME_ACKNOWLEDGEMENT].target_basis_points == 5_000
    assert not rates[rates_pb2.RATE_NAME_SATISFACTION].HasField("target_basis_points")
    wrong = admin_pb2.Policy(rate_targets=admin_pb2.RateTargets(cancellation=10_001))
    malformed = refused(client.admin.AgreePolicy, admin_pb2.AgreePolicyRequest(context=context(), policy=wrong))
    assert fields_of(malformed) == ["policy.rate_targets.cancellation"]


def test_a_review_is_recorded_with_what_it_saw_and_what_follows(client: Client, last_position: int):
    receipt = review(client, last_position)
    found = supplier(client)
    last = found.last_review
    figures = {each.name: (each.numerator, each.denominator) for each in last.rates}
    assert (figures[DISPATCH], figures[LATE]) == ((1, 2), (1, 2))
    assert (last.until.ToDatetime() - last.since.ToDatetime()).days == 30
    assert last_position <= last.position <= receipt.position
    assert last.verdict == suppliers_pb2.VERDICT_PROPOSE_SUSPENSION
    assert 0 < found.score_basis_points == last.score_basis_points < 10_000
    assert LATE in {each.rate.name for each in found.proposals}
    assert {each.state for each in found.proposals} == {suppliers_pb2.PROPOSAL_STATE_OPEN}
    request = supplier_reviews_pb2.ListSuspensionProposalsRequest(supplier_id="acme", at_least=receipt.position)
    listed = client.reports.ListSuspensionProposals(request).proposals
    assert {each.rate.name for each in listed} == {each.rate.name for each in found.proposals}


def test_a_review_is_asked_again_and_refused_as_any_command(client: Client, last_position: int):
    period: dict[str, Any] = {"since": stamp(NOW - 90 * DAY), "until": stamp(NOW - 30 * DAY)}
    named = suppliers_pb2.ReviewSupplierRequest(
        context=context("review-once"), supplier_id="bolt", at_least=last_position, **period
    )
    first, again = (client.suppliers.ReviewSupplier(named) for _ in range(2))
    assert (again.position, again.outcome) == (first.position, common_pb2.Receipt.OUTCOME_REPLAYED)
    assert review(client, last_position, "bolt", **period).version == first.version
    found = supplier(client, "bolt").last_review
    assert found.verdict == suppliers_pb2.VERDICT_KEEP
    assert not found.HasField("score_basis_points")

    def asked(**more: Any) -> Any:
        return suppliers_pb2.ReviewSupplierRequest(context=context(), **{"supplier_id": "bolt", **more})

    call = client.suppliers.ReviewSupplier
    assert reason_of(refused(call, asked(supplier_id="none"))) == "UNKNOWN_SUPPLIER"
    assert fields_of(refused(call, asked(supplier_id=""))) == ["supplier_id"]
    assert fields_of(refused(call, asked(since=stamp(NOW), until=stamp(NOW - DAY)))) == ["since"]
    assert fields_of(refused(call, asked(at_least=-1))) == ["at_least"]
    with pytest.raises(grpc.RpcError) as caught:
        call(asked(at_least=last_position + 10**6))
    assert reason_of(caught.value) == "BEYOND_THE_LOG"
    commands = [
        batch_pb2.BatchCommand(review_supplier=asked(supplier_id="none")),
        batch_pb2.BatchCommand(review_supplier=asked(since=stamp(NOW), until=stamp(NOW - DAY))),
        batch_pb2.BatchCommand(review_supplier=asked(**period)),
    ]
    answer = client.batch.ExecuteBatch(batch_pb2.ExecuteBatchRequest(commands=commands))
    assert [each.refusal.reason for each in answer.outcomes] == ["UNKNOWN_SUPPLIER", "MALFORMED", ""]


def test_who_is_not_in_use_is_not_reviewed(client: Client, last_position: int):
    registered = suppliers_pb2.RegisterSupplierRequest(context=context(), supplier_id="new", name="New")
    position = client.suppliers.RegisterSupplier(registered).position
    request = suppliers_pb2.ReviewSupplierRequest(context=context(), supplier_id="new", at_least=position)
    assert reason_of(refused(client.suppliers.ReviewSupplier, request)) == "WRONG_STANDING"


def test_reviews_that_are_due_are_listed(client: Client, last_position: int):
    client.approve("due", at=NOW - 31 * DAY)
    client.approve("fresh", at=NOW)
    position = client.admin.GetStatus(admin_pb2.GetStatusRequest()).position
    found = client.reports.ListReviewsDue(supplier_reviews_pb2.ListReviewsDueRequest(at_least=position)).reviews
    (due,) = [each for each in found if each.supplier_id == "due"]
    assert not due.HasField("reviewed_at")
    assert "fresh" not in {each.supplier_id for each in found}
    wrong = supplier_reviews_pb2.ListReviewsDueRequest(due_within_days=-1)
    assert fields_of(refused(client.reports.ListReviewsDue, wrong)) == ["due_within_days"]


def test_the_facts_of_a_supplier_are_its_history(client: Client, last_position: int):
    client.approve("told")
    facts = client.audit.GetHistory(audit_pb2.GetHistoryRequest(supplier_id="told", with_parcels=True)).facts
    assert [each.name for each in facts] == [
        "supplier.registered",
        "supplier.sample_reviewed",
        "supplier.terms_agreed",
        "supplier.approved",
    ]
    unknown = refused(client.audit.GetHistory, audit_pb2.GetHistoryRequest(supplier_id="nobody"))
    assert reason_of(unknown) == "UNKNOWN_SUPPLIER"


def test_suppliers_are_listed_page_by_page_with_how_they_stand(client: Client, last_position: int):
    client.approve("listed-b", at=NOW - 10 * DAY)
    registered = suppliers_pb2.RegisterSupplierRequest(context=context(), supplier_id="listed-a", name="A")
    position = review(client, client.suppliers.RegisterSupplier(registered).position).position
    listed: list[supplier_reviews_pb2.ListedSupplier] = []
    request = supplier_reviews_pb2.ListSuppliersRequest(page=common_pb2.PageRequest(page_size=2), at_least=position)
    while not listed or request.page.page_token:
        answer = client.reports.ListSuppliers(request)
        listed += answer.suppliers
        request.page.page_token = answer.next_page_token
    names = [each.supplier_id for each in listed]
    assert names == sorted(set(names))
    found = {each.supplier_id: each for each in listed}
    candidate, fresh, reviewed = (found[name] for name in ("listed-a", "listed-b", "acme"))
    assert candidate == supplier_reviews_pb2.ListedSupplier(
        supplier_id="listed-a", name="A", standing=suppliers_pb2.SUPPLIER_STANDING_CANDIDATE
    )
    assert fresh.review_due == stamp(NOW + 19 * DAY)
    assert (reviewed.score_basis_points, reviewed.verdict) == (
        supplier(client).score_basis_points,
        suppliers_pb2.VERDICT_PROPOSE_SUSPENSION,
    )
    open_ = [each for each in supplier(client).proposals if each.state == suppliers_pb2.PROPOSAL_STATE_OPEN]
    assert reviewed.open_proposals == len(open_)
    only = supplier_reviews_pb2.ListSuppliersRequest(
        standings=[suppliers_pb2.SUPPLIER_STANDING_CANDIDATE], at_least=position
    )
    assert "listed-b" not in {each.supplier_id for each in client.reports.ListSuppliers(only).suppliers}
    wrong = supplier_reviews_pb2.ListSuppliersRequest(standings=[99])  # type: ignore[list-item]
    assert fields_of(refused(client.reports.ListSuppliers, wrong)) == ["standings[0]"]


def test_ranks_and_trends_answer_over_the_wire(client: Client, last_position: int):
    request = scorecards_pb2.RankSuppliersRequest(by=LATE, at_least=last_position)
    ranking = client.reports.RankSuppliers(request)
    assert ranking.supplier_ids[0] == "acme"
    (column,) = [each for each in ranking.columns if each.name == LATE]
    assert (column.numerators[0], column.denominators[0]) == (1, 2)
    assert (column.target_basis_points[0], column.target_is_most, column.target_is_strict) == (400, True, True)
    assert column.statuses[:2] == [rates_pb2.RATE_STATUS_BREACH, rates_pb2.RATE_STATUS_NO_DATA]
    one = client.reports.RankSuppliers(scorecards_pb2.RankSuppliersRequest(by=LATE, limit=1))
    assert (list(one.supplier_ids), len(one.columns[0].numerators)) == (["acme"], 1)

    def trend(**more: Any) -> Any:
        period = scorecards_pb2.Window(since=stamp(NOW - 28 * DAY), until=stamp(NOW))
        fields: dict[str, Any] = {"name": LATE, "period": period, "step": scorecards_pb2.TREND_STEP_WEEK}
        return scorecards_pb2.GetTrendRequest(supplier_id="acme", **{**fields, **more})

    rates = client.reports.GetTrend(trend()).rates
    assert len(rates) in (4, 5)
    assert (sum(each.numerator for each in rates), sum(each.denominator for each in rates)) == (1, 2)
    wrongs: dict[str, Any] = {"name": 0, "step": 0, "period": scorecards_pb2.Window(since=stamp(NOW))}
    for field, value in wrongs.items():
        wrong = {field: value}
        assert fields_of(refused(client.reports.GetTrend, trend(**wrong))) == [field]
    long = scorecards_pb2.Window(since=stamp(NOW - 5000 * DAY), until=stamp(NOW))
    assert fields_of(refused(client.reports.GetTrend, trend(period=long))) == ["period"]


def test_a_person_decides_on_what_was_proposed(client: Client, last_position: int):
    review(client, last_position, until=stamp(NOW - HOUR))
    decisions = client.suppliers
    dismissed = suppliers_pb2.DismissSuspensionRequest(
        context=context(), supplier_id="acme", rate=LATE, reason="a flood"
    )
    decisions.DismissSuspension(dismissed)
    states = {each.rate.name: each.state for each in supplier(client).proposals}
    assert states[LATE] == suppliers_pb2.PROPOSAL_STATE_DISMISSED
    decisions.AcceptSuspension(suppliers_pb2.AcceptSuspensionRequest(context=context(), supplier_id="acme", rate=LATE))
    assert supplier(client).standing == suppliers_pb2.SUPPLIER_STANDING_SUSPENDED
    never = rates_pb2.RATE_NAME_CANCELLATION
    for call, request in (
        (decisions.AcceptSuspension, suppliers_pb2.AcceptSuspensionRequest),
        (decisions.DismissSuspension, suppliers_pb2.DismissSuspensionRequest),
    ):
        reason = {"reason": "why"} if call is decisions.DismissSuspension else {}
        asked: dict[str, Any] = {"supplier_id": "acme", "rate": never, **reason}
        assert reason_of(refused(call, request(context=context(), **asked))) == "SUSPENSION_NOT_PROPOSED"
        assert fields_of(refused(call, request(context=context(), **{**asked, "rate": 0}))) == ["rate"]
        unknown = request(context=context(), **{**asked, "supplier_id": "none"})
        assert reason_of(refused(call, unknown)) == "UNKNOWN_SUPPLIER"


# --- the watch ------------------------------------------------------------------------------------


@asynccontextmanager
async def watched(conninfo: str, scenario: Scenario) -> AsyncIterator[tuple[Tenants, Tenant, EmptyTenant]]:
    async with open_pool(conninfo) as pool:
        tenants = Tenants(pool)
        await tenants.control.prepare()
        tenant = await tenants.create(f"watched_{uuid.uuid4().hex[:8]}")
        empty = EmptyTenant(conninfo, tenant.schema)
        follow(empty, scenario)
        yield tenants, tenant, empty
        await tenants.drain()
        with connect(empty) as connection:
            connection.execute("DELETE FROM fulfilment.tenants WHERE schema = %s", (tenant.schema,))


def follow(tenant: EmptyTenant, scenario: Scenario) -> None:
    write_down(tenant, scenario.log)
    scenario.log.clear()
    catch_up(tenant)


def late(scenario: Scenario, count: int) -> None:
    for number in range(count):
        scenario.place(line(1, "cup", 1), order_id=f"shopify/{number}")
        scenario.send(f"shopify/{number}/1")
    scenario.later(hours=49)
    for number in range(count):
        scenario.ship(number=f"N{number}", supplier_order_id=f"shopify/{number}/1")


def test_the_watch_proposes_a_suspension_exactly_once_also_with_two_processes(conninfo: str):
    scenario = a_shop()
    late(scenario, 20)

    async def watch() -> None:
        now = NOON + 4 * DAY
        async with watched(conninfo, scenario) as (tenants, tenant, empty):
            first, second = Clocks(tenants), Clocks(tenants)
            noticed = await asyncio.gather(first.watch(tenant, now), second.watch(tenant, now))
            assert noticed[0] == noticed[1] == 1
            assert await second.watch(tenant, now + HOUR) == 1  # the read model does not know yet
            catch_up(empty)
            assert await first.watch(tenant, now) == 0
            with connect(empty) as connection:
                query = f"SELECT topic FROM {empty.schema}.ledger_events WHERE originator_id = 'supplier-acme'"
                topics = [topic for (topic,) in connection.execute(query).fetchall()]
            assert topics.count("supplier.suspension_proposed") == 4

    asyncio.run(watch())


def test_the_watch_notices_a_recovery(conninfo: str):
    scenario = a_shop()
    late(scenario, 20)

    async def watch() -> None:
        async with watched(conninfo, scenario) as (tenants, tenant, empty):
            clocks = Clocks(tenants)
            await clocks.watch(tenant, NOON + 4 * DAY)
            scenario.later(days=40)
            for number in range(20, 40):
                order_id = f"shopify/{number}"
                scenario.place(line(1, "cup", 1), order_id=order_id)
                scenario.send(f"{order_id}/1")
                scenario.ship(number=f"N{number}", supplier_order_id=f"{order_id}/1")
            follow(empty, scenario)
            assert await clocks.watch(tenant, scenario.now + DAY) == 1
            facts = await tenant.log.read_stream("supplier-acme")
            recovered = [fact for fact in facts if fact.topic == "supplier.rate_recovered"]
            assert len(recovered) == 2  # late shipments of 10 and of 30 days

    asyncio.run(watch())


def test_a_tenant_without_read_models_has_nothing_to_watch(conninfo: str):
    async def watch() -> None:
        async with open_pool(conninfo) as pool:
            tenants = Tenants(pool)
            await tenants.control.prepare()
            tenant = await tenants.create(f"watched_{uuid.uuid4().hex[:8]}")
            assert await Clocks(tenants).watch(tenant, NOON) == 0
            await tenants.drain()

    asyncio.run(watch())
