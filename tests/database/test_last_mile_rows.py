"""What read models say of parcels that went on under another number, and of when they are expected."""

from __future__ import annotations

from msgspec.structs import replace

from ledger.nouns.orders.supplier_orders import LineAnswer
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.rates import RateName
from projections import tracking, work
from projections.machine.reads import PageOf
from projections.tracking import TrackedParcel
from tests.support.projecting import (
    asking,
    assert_same_wherever_a_page_ends,
    catch_up,
    catch_up_in_pages,
    require_equal_to_rebuilds,
    tracked,
)
from tests.support.rating import rate_so_far
from tests.support.scenario import DAY, HOUR, NOON, Scenario, a_shop, line, scan, sent, shipped
from tests.support.stalls import EmptyTenant

IN_TRANSIT, OUT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED


def handed_over() -> Scenario:
    """Two parcels went on under other numbers: one that was announced, one that was wrong and put right."""
    scenario = a_shop(tea=100)
    for n in (1, 2):
        scenario.place(line(1, "tea", n), order_id=f"shopify/{n}", promised_by=NOON + 5 * DAY)
        scenario.send(f"shopify/{n}/1")
        scenario.ship(supplier_order_id=f"shopify/{n}/1", number=f"P{n}")
    scenario.announce("L1")
    scenario.later(days=1)
    scenario.scan(IN_TRANSIT, number="P1")
    scenario.scan(OUT, number="L1")
    scenario.hand_over("L1", number="P1")
    scenario.hand_over("L3", number="P2")
    scenario.scan(DELIVERED, number="L3")
    scenario.correct_number("L3", "L2")
    scenario.later(days=1)
    scenario.scan(DELIVERED, number="L1")
    scenario.scan(OUT, number="L2")
    return scenario


def test_read_models_of_last_miles_equal_their_rebuild(tenant: EmptyTenant):
    catch_up_in_pages(tenant, handed_over().log, 7)
    require_equal_to_rebuilds(tenant)


def test_rows_are_the_same_wherever_a_page_ends(tenant: EmptyTenant):
    assert_same_wherever_a_page_ends(tenant, handed_over().log)


async def found(tenant: EmptyTenant, number: str, carrier: str = "") -> list[TrackedParcel]:
    async with asking(tenant) as where:
        return (await tracking.find_parcels(where, number, carrier)).rows


async def test_a_parcel_is_found_under_each_of_its_numbers_and_is_one(tenant: EmptyTenant):
    catch_up(tenant, handed_over().log)
    assert [(each.number, each.status, each.order_id) for each in await found(tenant, "L1")] == [
        ("P1", DELIVERED, "shopify/1")
    ]
    assert await found(tenant, "P1") == await found(tenant, "L1", "dhl")
    assert [each.last_miles for each in await found(tenant, "L2")] == [(("dhl", "L2"),)]
    assert await found(tenant, "L1", "usps") == []
    assert await found(tenant, "L3") == []


async def test_a_parcel_whose_carriers_use_the_same_number_is_found_once(tenant: EmptyTenant):
    scenario = shipped()
    scenario.hand_over("P1", carrier="usps")
    catch_up(tenant, scenario.log)
    assert [each.carrier for each in await found(tenant, "P1")] == ["dhl"]
    assert [each.carrier for each in await found(tenant, "P1", "usps")] == ["dhl"]


async def test_a_parcel_counts_once_in_every_rate_whatever_numbers_it_had(tenant: EmptyTenant):
    scenario = handed_over()
    assert await rate_so_far(tenant, scenario, RateName.VALID_TRACKING) == (2, 2)
    scenario.later(days=4)
    assert await rate_so_far(tenant, scenario, RateName.ON_TIME_DELIVERY) == (1, 2)


async def test_a_last_mile_that_has_it_makes_its_tracking_valid(tenant: EmptyTenant):
    scenario = shipped()
    assert await rate_so_far(tenant, scenario, RateName.VALID_TRACKING) == (0, 1)
    scenario.hand_over()
    scenario.scan(OUT, scenario.later(hours=1), number="L1")
    assert await rate_so_far(tenant, scenario, RateName.VALID_TRACKING) == (1, 1)


async def test_trouble_on_the_last_mile_is_work_about_the_one_parcel(tenant: EmptyTenant):
    scenario = shipped()
    scenario.hand_over()
    scenario.scan(ParcelStatus.DAMAGED, scenario.later(hours=1), number="L1")
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        rows = (await work.list_work(where, PageOf(9))).rows
    assert [(each.kind, each.number, each.order_id) for each in rows] == [(work.WorkKind.PARCEL, "P1", "shopify/1")]


async def test_an_order_is_expected_when_its_carrier_says(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.scans(replace(scan(IN_TRANSIT, NOON + HOUR), expected_by=NOON + 7 * DAY))
    order = await tracked(tenant, scenario)
    assert (order.expected_by, order.promised_by) == (NOON + 7 * DAY, NOON + 5 * DAY)
    assert (order.parcels[0].expected_by, order.parcels[0].estimated_by) == (NOON + 7 * DAY, NOON + 7 * DAY)


async def test_a_parcel_on_its_way_back_is_expected_by_nobody(tenant: EmptyTenant):
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.scans(replace(scan(ParcelStatus.RETURNING, NOON + HOUR), expected_by=NOON + 7 * DAY))
    order = await tracked(tenant, scenario)
    assert (order.expected_by, order.parcels[0].expected_by, order.parcels[0].estimated_by) == (None, None, None)


async def test_an_order_whose_supplier_waits_for_goods_is_expected_by_its_day(tenant: EmptyTenant):
    scenario = sent(promised_by=NOON + 5 * DAY)
    scenario.answer({1: LineAnswer(backordered=3, expected_at=NOON + 20 * DAY)})
    assert (await tracked(tenant, scenario)).expected_by == NOON + 20 * DAY
