"""Where orders, supplier orders and parcels are, by the domain's own fold."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from ledger.facts import LineNo, Sealed
from ledger.nouns import orders
from ledger.nouns.orders import Header, Hold, HoldReason, PaymentState, UnknownOrder
from ledger.nouns.orders.supplier_orders import Stage
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.rates import RateName
from projections import tracking
from projections.machine.reads import PageOf
from projections.tracking import OrderFilter, TrackedParcel
from tests.support.projecting import asking, catch_up, contents, tracked
from tests.support.rating import rate
from tests.support.scenario import ANNA, DAY, HOUR, NOON, ORDER, Scenario, a_shop, delivered, line, scan, sent, shipped
from tests.support.stalls import EmptyTenant


async def parcels_named(tenant: EmptyTenant, number: str, carrier: str = "") -> list[TrackedParcel]:
    async with asking(tenant) as where:
        return (await tracking.find_parcels(where, number, carrier)).rows


async def test_an_order_on_its_way_shows_lines_supplier_orders_and_parcels(tenant: EmptyTenant):
    scenario = sent(line(1, "tea", 3), line(2, "mug", 1, "bolt"), promised_by=NOON + 5 * DAY)
    scenario.later(hours=1)
    scenario.pack()
    scenario.ship({1: 2})
    scenario.later(hours=1)
    scenario.scan(ParcelStatus.IN_TRANSIT)
    order = await tracked(tenant, scenario)
    assert (order.channel, order.status, order.placed_at) == ("shopify", Header.PARTLY_DISPATCHED, NOON)
    assert order.expected_by == order.promised_by == NOON + 5 * DAY
    assert [(each.sku, each.units.shipped, each.units.assigned) for each in order.details.lines] == [
        ("tea", 2, 1),
        ("mug", 0, 1),
    ]
    first, second = order.details.supplier_orders
    assert (first.status, first.units, first.unshipped, first.shipped) == (Stage.PARTLY_SHIPPED, 3, 1, 2)
    assert (first.sent_at, first.packed_at, first.dispatch_by) == (NOON, NOON + HOUR, NOON + 48 * HOUR)
    assert first.dispatched_at is None
    assert (second.supplier_id, second.status, second.units) == ("bolt", Stage.SENT, 1)
    (parcel,) = order.parcels
    assert (parcel.carrier, parcel.number, parcel.epoch, parcel.lines) == ("dhl", "P1", 1, {1: 2})
    assert parcel.supplier_order_id == f"{ORDER}/1"
    assert parcel.expected_by == NOON + 5 * DAY
    assert parcel.last_scan is not None
    assert (parcel.last_scan.at, parcel.last_scan.status) == (NOON + 2 * HOUR, ParcelStatus.IN_TRANSIT)


async def test_a_delivered_order_is_expected_no_more(tenant: EmptyTenant):
    order = await tracked(tenant, delivered(promised_by=NOON + 5 * DAY))
    assert (order.status, order.expected_by, order.promised_by) == (Header.DELIVERED, None, NOON + 5 * DAY)
    assert order.delivered_at == NOON + 3 * DAY
    assert (order.parcels[0].status, order.parcels[0].expected_by) == (ParcelStatus.DELIVERED, None)
    assert order.details.supplier_orders[0].status is Stage.CLOSED


async def test_an_order_on_hold_names_what_is_missing(tenant: EmptyTenant):
    scenario = a_shop()
    scenario.place(customer=None, has_address=False, payment=PaymentState.PENDING)
    order = await tracked(tenant, scenario)
    assert order.status is Header.ON_HOLD
    assert [(hold.reason, hold.at, hold.missing) for hold in order.details.holds] == [
        (HoldReason.INCOMPLETE, NOON, ("ship_to",)),
        (HoldReason.AWAITING_PAYMENT, NOON, ()),
    ]
    assert order.details.supplier_orders == ()


async def test_a_cancelled_order_is_expected_no_more(tenant: EmptyTenant):
    scenario = a_shop()
    scenario.place(payment=PaymentState.PENDING, promised_by=NOON + DAY)
    scenario.cancel()
    order = await tracked(tenant, scenario)
    assert (order.status, order.expected_by) == (Header.CANCELLED, None)


async def test_a_late_older_scan_does_not_move_the_last_scan_back(tenant: EmptyTenant):
    scenario = shipped()
    scenario.later(days=2)
    scenario.scans(scan(ParcelStatus.OUT_FOR_DELIVERY, NOON + 2 * DAY), scan(ParcelStatus.IN_TRANSIT, NOON + DAY))
    (parcel,) = (await tracked(tenant, scenario)).parcels
    assert parcel.status is ParcelStatus.OUT_FOR_DELIVERY
    assert parcel.first_scan_at == NOON + DAY
    assert parcel.last_scan is not None
    assert parcel.last_scan.at == NOON + 2 * DAY


async def test_a_reused_number_finds_every_parcel_it_named_the_newest_first(tenant: EmptyTenant):
    scenario = delivered()
    scenario.later(days=100)
    scenario.place(line(1, "mug", 1, "bolt"), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1", number="P1")
    order = await tracked(tenant, scenario)
    found = await parcels_named(tenant, "P1")
    assert [(parcel.epoch, parcel.order_id, parcel.status) for parcel in found] == [
        (2, "shopify/2", ParcelStatus.REGISTERED),
        (1, ORDER, ParcelStatus.DELIVERED),
    ]
    assert [parcel.epoch for parcel in order.parcels] == [1]
    assert await parcels_named(tenant, "P1", "dhl") == found
    assert await parcels_named(tenant, "P1", "ups") == []
    assert await parcels_named(tenant, "P9") == []


def _used_again() -> Scenario:
    """The scans of the earlier use are recorded after the number's next use."""
    scenario = shipped(promised_by=NOON + 5 * DAY)
    scenario.later(days=2)
    scenario.miss_first_scan()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.later(days=9)
    scenario.scan(ParcelStatus.OUT_FOR_DELIVERY)
    scenario.ship(supplier_order_id="shopify/2/1")
    scenario.scans(scan(ParcelStatus.IN_TRANSIT, NOON + HOUR), scan(ParcelStatus.DELIVERED, NOON + 4 * DAY))
    return scenario


async def test_scans_of_an_earlier_use_reach_its_order_and_its_parcel(tenant: EmptyTenant):
    assert (await tracked(tenant, _used_again())).delivered_at == NOON + 4 * DAY
    second, first = await parcels_named(tenant, "P1")
    assert (first.epoch, first.first_scan_at, first.delivered_at) == (1, NOON + HOUR, NOON + 4 * DAY)
    assert (second.epoch, second.status, second.delivered_at) == (2, ParcelStatus.OUT_FOR_DELIVERY, None)


async def test_scans_of_an_earlier_use_reach_the_rates_that_count_it(tenant: EmptyTenant):
    assert await rate(tenant, _used_again(), RateName.ON_TIME_DELIVERY) == (1, 1)


async def test_a_parcel_that_only_the_carrier_knows_belongs_to_no_order_yet(tenant: EmptyTenant):
    scenario = sent()
    scenario.announce("P1")
    scenario.scan(ParcelStatus.IN_TRANSIT)
    catch_up(tenant, scenario.log)
    (parcel,) = await parcels_named(tenant, "P1")
    assert (parcel.order_id, parcel.supplier_order_id, parcel.lines) == ("", "", {})
    before = len(scenario.log)
    scenario.ship()
    catch_up(tenant, scenario.log[before:])
    (parcel,) = await parcels_named(tenant, "P1")
    assert (parcel.order_id, parcel.supplier_order_id, parcel.lines) == (ORDER, f"{ORDER}/1", {1: 3})


async def test_an_unknown_order_is_refused(tenant: EmptyTenant):
    catch_up(tenant, a_shop().log)
    async with asking(tenant) as where:
        with pytest.raises(UnknownOrder, match="there is no order shopify/9"):
            await tracking.get_order(where, "shopify/9")


async def test_no_sealed_data_reaches_the_tables(tenant: EmptyTenant):
    scenario = shipped()
    note = Hold(HoldReason.CUSTOMER_REQUEST, "mia", scenario.now, note=Sealed("key-note", b"on holiday in Rome"))
    scenario.hold(HoldReason.FRAUD_REVIEW)
    scenario.scans(replace(scan(ParcelStatus.IN_TRANSIT, scenario.now), message=Sealed("key-scan", b"left with Anna")))
    scenario.record((orders.stream(ORDER), fact) for fact in orders.place_hold(scenario.order(), note))
    catch_up(tenant, scenario.log)
    everything = str(contents(tenant))
    assert ORDER in everything
    for secret in (ANNA.key_id, "key-note", "key-scan", '"box"'):
        assert secret not in everything


def _many() -> Scenario:
    """Orders 1 to 25 of two shops, placed an hour apart; every third is sent, every fifth waits for money."""
    scenario = a_shop(tea=100)
    for number in range(1, 26):
        channel = "amazon" if number % 2 else "shopify"
        paid = PaymentState.PENDING if number % 5 == 0 else PaymentState.PAID
        order_id = f"{channel}/{number}"
        scenario.place(line(1, "tea", 1), order_id=order_id, payment=paid)
        if number % 3 == 0 and number % 5:
            scenario.send(f"{order_id}/1")
            scenario.ship(supplier_order_id=f"{order_id}/1", number=f"P{number}")
        scenario.later(hours=1)
    return scenario


async def listed(
    tenant: EmptyTenant,
    size: int,
    *statuses: Header,
    channel: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[int]:
    """The numbers of the orders, page after page."""
    found: list[int] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await tracking.list_orders(
                where, PageOf(size, token), OrderFilter(statuses, channel, since, until)
            )
            assert len(answer.rows) <= size
            found += [int(order.order_id.partition("/")[2]) for order in answer.rows]
            token = answer.next_page_token
            if not token:
                return found
            assert len(answer.rows) == size


@pytest.mark.parametrize("size", [1, 2, 7, 25, 1000])
async def test_pages_show_every_order_exactly_once_in_the_order_of_placing(tenant: EmptyTenant, size: int):
    catch_up(tenant, _many().log)
    assert await listed(tenant, size) == list(range(1, 26))


async def test_orders_are_found_by_status_shop_and_time(tenant: EmptyTenant):
    catch_up(tenant, _many().log)
    on_hold, sent_ = [5, 10, 15, 20, 25], [3, 6, 9, 12, 18, 21, 24]
    assert await listed(tenant, 2, Header.ON_HOLD) == on_hold
    assert await listed(tenant, 3, Header.DISPATCHED) == sent_
    assert await listed(tenant, 3, Header.DISPATCHED, Header.ON_HOLD) == sorted(on_hold + sent_)
    assert await listed(tenant, 2, Header.DISPATCHED, channel="amazon") == [3, 9, 21]
    since, until = NOON + timedelta(hours=5), NOON + timedelta(hours=20)
    assert await listed(tenant, 2, since=since, until=until) == list(range(6, 21))
    assert await listed(tenant, 2, Header.ON_HOLD, since=since, until=until) == [10, 15, 20]
    assert await listed(tenant, 2, Header.COMPLETED) == []


async def test_listed_orders_bring_their_parcels(tenant: EmptyTenant):
    catch_up(tenant, _many().log)
    async with asking(tenant) as where:
        orders = (await tracking.list_orders(where, PageOf(4))).rows
    assert [[parcel.number for parcel in order.parcels] for order in orders] == [[], [], ["P3"], []]


async def held(tenant: EmptyTenant, size: int, *reasons: HoldReason, owner: str = "") -> list[tuple[str, str, str]]:
    """Order, reason and owner of the holds, page after page."""
    found: list[tuple[str, str, str]] = []
    token = ""
    async with asking(tenant) as where:
        while True:
            answer = await tracking.list_holds(where, PageOf(size, token), reasons, owner)
            found += [(each.order_id, each.hold.reason.value, each.hold.owner) for each in answer.rows]
            token = answer.next_page_token
            if not token:
                return found
            assert len(answer.rows) == size


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_holds_are_found_by_reason_and_owner_the_oldest_first(tenant: EmptyTenant, size: int):
    scenario = sent()
    scenario.hold(HoldReason.FRAUD_REVIEW, "risk", at=NOON + 2 * HOUR)
    scenario.hold(HoldReason.FRAUD_REVIEW, "mia", f"{ORDER}/1", at=NOON + 2 * HOUR)
    scenario.hold(HoldReason.OTHER, "risk", at=NOON + HOUR)
    scenario.place(order_id="shopify/2", payment=PaymentState.PENDING)
    catch_up(tenant, scenario.log)
    money, other = ("shopify/2", "awaiting_payment", "ledger"), (ORDER, "other", "risk")
    fraud = [(ORDER, "fraud_review", "mia"), (ORDER, "fraud_review", "risk")]
    assert await held(tenant, size) == [money, other, *fraud]
    assert await held(tenant, size, HoldReason.FRAUD_REVIEW, HoldReason.AWAITING_PAYMENT) == [money, *fraud]
    assert await held(tenant, size, owner="risk") == [other, fraud[1]]
    assert await held(tenant, size, HoldReason.OTHER, owner="mia") == []


async def test_a_hold_is_listed_with_all_but_its_note_until_it_is_released(tenant: EmptyTenant):
    scenario = sent()
    hold = Hold(HoldReason.OUT_OF_STOCK, "mia", scenario.now, lacking={LineNo(1): 2}, note=Sealed("key", b"box"))
    scenario.record((orders.stream(ORDER), fact) for fact in orders.place_hold(scenario.order(), hold))
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        assert [each.hold for each in (await tracking.list_holds(where, PageOf())).rows] == [replace(hold, note=None)]
    before = len(scenario.log)
    scenario.record(
        (orders.stream(ORDER), fact)
        for fact in orders.release_hold(scenario.order(), HoldReason.OUT_OF_STOCK, "mia", "", scenario.now)
    )
    catch_up(tenant, scenario.log[before:])
    assert await held(tenant, 9) == []
