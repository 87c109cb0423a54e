"""What read models say of shipments that were taken back, and of parcels that left under other numbers."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from ledger.nouns.orders import HoldReason
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock, ClockState
from ledger.terms.rates import RateName
from projections import obligations, outbox, statements, tracking, work
from projections.machine.reads import PageOf
from tests.support.projecting import (
    asking,
    assert_same_wherever_a_page_ends,
    catch_up,
    catch_up_in_pages,
    require_equal_to_rebuilds,
)
from tests.support.rating import rate_so_far
from tests.support.scenario import DAY, FIRST, HOUR, NOON, TERMS, Scenario, a_shop, line, shipped
from tests.support.stalls import EmptyTenant

IN_TRANSIT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED


def corrected() -> Scenario:
    """A neighbour's number was used and corrected, a label was voided and scanned, an order was taken back whole."""
    scenario = a_shop(tea=100)
    scenario.agree_terms(replace(TERMS, compensation_basis_points=1000))
    scenario.offer("tea", 250)
    for n in range(1, 5):
        scenario.place(line(1, "tea", n), order_id=f"shopify/{n}", promised_by=NOON + 2 * DAY)
        scenario.send(f"shopify/{n}/1")
    scenario.ship(supplier_order_id="shopify/1/1", number="P1")
    scenario.later(hours=1)
    scenario.ship(supplier_order_id="shopify/2/1", number="P1")
    scenario.ship(supplier_order_id="shopify/3/1", number="P3")
    scenario.ship({1: 1}, supplier_order_id="shopify/4/1", number="P4")
    scenario.ship({1: 3}, supplier_order_id="shopify/4/1", number="P5")
    scenario.scan(IN_TRANSIT, NOON + 2 * HOUR)
    scenario.later(days=1)
    scenario.scan(DELIVERED)
    scenario.scan(DELIVERED, number="P4")
    scenario.void("P3")
    scenario.scan(IN_TRANSIT, number="P3")
    scenario.later(days=2)
    for n in (1, 2, 3, 4):
        scenario.miss(Clock.DISPATCH, f"shopify/{n}/1", f"shopify/{n}")
        scenario.miss(Clock.DELIVERY, f"shopify/{n}", f"shopify/{n}")
    scenario.correct_number("P1", "P2", supplier_order_id="shopify/2/1")
    scenario.void_all("shopify/4/1")
    scenario.hold(HoldReason.OTHER, order_id="shopify/4")
    return scenario


def test_read_models_of_corrections_equal_their_rebuild(tenant: EmptyTenant):
    catch_up_in_pages(tenant, corrected().log, 7)
    require_equal_to_rebuilds(tenant)


def test_rows_are_the_same_wherever_a_page_ends(tenant: EmptyTenant):
    assert_same_wherever_a_page_ends(tenant, corrected().log)


async def test_a_parcel_counts_once_under_its_right_number_and_a_void_one_never(tenant: EmptyTenant):
    scenario = corrected()
    assert await rate_so_far(tenant, scenario, RateName.VALID_TRACKING) == (1, 2)
    scenario.scan(IN_TRANSIT, number="P2")
    assert await rate_so_far(tenant, scenario, RateName.VALID_TRACKING) == (2, 2)


async def test_a_dispatch_that_did_not_happen_was_not_on_time(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(hours=49)
    assert await rate_so_far(tenant, scenario, RateName.ON_TIME_DISPATCH) == (1, 1)
    scenario.void()
    assert await rate_so_far(tenant, scenario, RateName.ON_TIME_DISPATCH) == (0, 1)
    scenario.ship(number="P2", at=NOON + 40 * HOUR)
    assert await rate_so_far(tenant, scenario, RateName.ON_TIME_DISPATCH) == (1, 1)


async def test_a_delivery_is_on_time_by_the_right_number_alone(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 2 * DAY)
    scenario.scan(DELIVERED, NOON + DAY)
    scenario.later(days=4)
    scenario.correct_number("P1", "P2")
    scenario.scan(DELIVERED, NOON + 3 * DAY, number="P2")
    assert await rate_so_far(tenant, scenario, RateName.ON_TIME_DELIVERY) == (0, 1)


async def test_goods_that_did_not_leave_are_owed_no_more(tenant: EmptyTenant):
    scenario = a_shop(tea=100)
    scenario.offer("tea", 250)
    scenario.place()
    scenario.send()
    scenario.ship()
    scenario.later(hours=1)
    scenario.void()
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        (found,) = (await statements.get_statement(where, "acme", NOON - DAY, NOON + 9 * DAY)).rows
        entries = (await statements.list_entries(where, PageOf(9), "acme", NOON - DAY, NOON + 9 * DAY)).rows
    assert [each.closing_minor for each in found.balances] == [0]
    assert [(each.units, each.amount_minor) for each in entries] == [(3, 750), (-3, -750)]


async def test_the_number_of_a_void_parcel_is_found_and_its_clock_is_nobodys(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(hours=37)
    scenario.miss_first_scan()
    scenario.correct_number("P1", "P2")
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        (found,) = (await tracking.find_parcels(where, "P1")).rows
        breaches = (await obligations.list_breaches(where, PageOf(9))).rows
    assert (found.status, found.order_id) == (ParcelStatus.VOID, "shopify/1")
    states = {each.object_id: each.state for each in breaches if each.clock is Clock.FIRST_SCAN}
    assert states.get("dhl/P1/1") in (None, ClockState.WITHDRAWN)


async def test_a_scan_of_a_void_parcel_is_work_until_it_is_shipped_again(tenant: EmptyTenant):
    scenario = shipped()
    scenario.void()
    scenario.later(hours=1)
    scenario.scan(IN_TRANSIT)
    scenario.scan(DELIVERED)

    async def odd() -> list[str]:
        head = catch_up(tenant, scenario.log[written:])
        async with asking(tenant, head) as where:
            rows = (await work.list_work(where, PageOf(9))).rows
            return [each.because for each in rows if each.kind is work.WorkKind.ODDITY]

    written = 0
    assert await odd() == ["scanned though it was voided: in_transit"]
    written = len(scenario.log)
    scenario.ship(at=NOON + timedelta(minutes=30))
    assert await odd() == []
    assert scenario.buckets() == {"delivered": 3}


async def test_the_right_number_makes_messages_of_its_own_due(tenant: EmptyTenant):
    scenario = shipped()
    scenario.correct_number("P1", "P2")
    scenario.void("P2")
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        rows = (await outbox.list_messages(where, PageOf(99), NOON - DAY)).rows
    mine = sorted((each.cause, each.kind) for each in rows if each.about.supplier_order_id == FIRST)
    assert [str(kind) for _, kind in mine[-4:]] == ["dispatched", "dispatched", "tracking_corrected", "not_dispatched"]
