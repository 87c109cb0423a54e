"""When a parcel arrived: with its earliest delivery, in whatever order the scans are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.engine.book import Book
from ledger.nouns import NOUNS, orders, parcels
from ledger.nouns.messages import MessageKind
from ledger.nouns.orders import DeliveryReopened, Header, UnitsDelivered
from ledger.nouns.parcels import ArrivalCorrected, ParcelStatus
from ledger.terms.clocks import Clock, ClockState
from projections.machine.histories import folds
from projections.machine.streams import LoggedFact, Page
from projections.obligations import SLA
from projections.outbox.causes import notices
from projections.supplier_performance import SUPPLIER_PERFORMANCE
from projections.tracking import TRACKING
from projections.work import WORK
from tests.support.scenario import DAY, HOUR, NOON, ORDER, Scenario, line, names, scan, shipped, the
from tests.support.stored_events import REGISTRY

IN_TRANSIT, DELIVERED, LOST = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED, ParcelStatus.LOST
FIRST_DAY, THIRD_DAY, FIFTH_DAY = NOON + DAY, NOON + 3 * DAY, NOON + 5 * DAY


def on_the_way(**more: object) -> Scenario:
    scenario = shipped(**more)
    scenario.later(days=9)
    return scenario


def arrived(scenario: Scenario) -> tuple[datetime | None, datetime | None]:
    """When the parcel did, and when its order did."""
    return scenario.parcel().delivered_at, scenario.order().delivered_at


def test_the_earliest_delivery_is_the_arrival_also_if_it_is_told_last():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    facts = scenario.scan(DELIVERED, THIRD_DAY)
    assert names(facts) == ["checkpoint_recorded", "arrival_corrected", "delivery_reopened", "units_delivered"]
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)
    assert the(UnitsDelivered, facts).instead_of == FIFTH_DAY


def test_a_later_delivery_changes_nothing():
    scenario = on_the_way()
    scenario.scan(DELIVERED, THIRD_DAY)
    assert names(scenario.scan(DELIVERED, FIFTH_DAY)) == ["checkpoint_recorded"]
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)


def test_the_same_scan_again_records_nothing():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.scan(DELIVERED, THIRD_DAY)
    assert scenario.scan(DELIVERED, THIRD_DAY) == []


def test_the_customer_is_told_once_that_it_arrived():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.scan(DELIVERED, THIRD_DAY)
    history, logged = None, []
    for position, (stream, fact) in enumerate(scenario.log, 1):
        if stream == orders.stream(ORDER):
            history = folds(REGISTRY)[orders.NOUN.prefix](history, fact, position)
            logged.append(LoggedFact(position, fact, history))
    assert [each.kind for each in notices(logged)].count(MessageKind.DELIVERED) == 1


def test_a_breach_of_the_promise_is_withdrawn():
    scenario = on_the_way(promised_by=NOON + 4 * DAY)
    assert "deadline_missed" in names(scenario.scan(DELIVERED, FIFTH_DAY))
    assert "breach_withdrawn" in names(scenario.scan(DELIVERED, THIRD_DAY))
    assert scenario.order().missed == frozenset()


def test_a_completed_order_completes_anew_with_its_real_return_window():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.later(days=40)
    scenario.close_window()
    scenario.scan(DELIVERED, THIRD_DAY)
    assert scenario.header() is Header.DELIVERED
    scenario.close_window()
    days = scenario.order().placed.return_window_days
    assert scenario.order().completed_at == THIRD_DAY + days * DAY


def test_both_orders_of_a_box_follow():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1")
    scenario.later(days=9)
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.scan(DELIVERED, THIRD_DAY)
    assert {scenario.order(order_id).delivered_at for order_id in (ORDER, "shopify/2")} == {THIRD_DAY}


def test_a_delivery_of_before_a_receipt_is_when_it_arrived():
    scenario = on_the_way()
    scenario.receive(at=FIFTH_DAY)
    scenario.scan(DELIVERED, NOON + 6 * DAY)
    assert scenario.order().delivered_at == FIFTH_DAY, "the customer knows it better"
    scenario.scan(DELIVERED, THIRD_DAY)
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)


def test_a_confirmed_receipt_does_not_keep_a_wrong_time():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.receive(at=NOON + 6 * DAY)
    scenario.scan(DELIVERED, THIRD_DAY)
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)


def test_a_dispute_leaves_a_delivery_after_it():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIRST_DAY)
    scenario.scan(DELIVERED, FIFTH_DAY)
    facts = scenario.dispute(at=THIRD_DAY)
    assert names(facts) == ["delivery_disputed", "arrival_corrected", "delivery_reopened", "units_delivered"]
    assert arrived(scenario) == (FIFTH_DAY, FIFTH_DAY)


def test_an_earlier_use_of_a_number_arrived_with_its_earliest_delivery():
    scenario = shipped()
    scenario.later(days=60)
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.scan(DELIVERED, FIFTH_DAY)
    scenario.ship(supplier_order_id="shopify/2/1")
    assert the(ArrivalCorrected, scenario.scan(DELIVERED, THIRD_DAY)).epoch == 1
    assert scenario.order().delivered_at == THIRD_DAY


def test_a_log_without_the_correction_folds_as_it_did_and_the_next_scan_corrects_it():
    scenario = on_the_way()
    scenario.scan(DELIVERED, FIFTH_DAY)
    stream = parcels.stream("dhl", "P1")
    scenario.record([(stream, parcels.CheckpointRecorded("dhl", "P1", scan(DELIVERED, THIRD_DAY), scenario.now))])
    assert arrived(scenario) == (FIFTH_DAY, FIFTH_DAY)
    assert the(DeliveryReopened, scenario.scan(IN_TRANSIT, FIRST_DAY)).order_id == ORDER
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)


# --- whatever is told first -----------------------------------------------------------------------

SCANS = st.lists(
    st.tuples(
        st.sampled_from([IN_TRANSIT, DELIVERED, DELIVERED, ParcelStatus.RETURNING, ParcelStatus.RETURNED, LOST]),
        st.integers(1, 150),
        st.booleans(),
    ),
    min_size=2,
    max_size=6,
    unique_by=lambda said: said[1],
)


@settings(max_examples=60)
@given(scans=SCANS, data=st.data())
def test_all_is_the_same_in_whatever_order_scans_are_told(
    scans: list[tuple[ParcelStatus, int, bool]], data: st.DataObject
):
    told = [
        replace(scan(status, NOON + hours * HOUR), reached_customer=reached and status is DELIVERED)
        for status, hours, reached in scans
    ]
    first, other = on_the_way(promised_by=NOON + 3 * DAY), on_the_way(promised_by=NOON + 3 * DAY)
    for each in sorted(told, key=lambda each: each.at):
        first.scans(each)
    for each in data.draw(st.permutations(told)):
        other.scans(each)
    for scenario in (first, other):
        scenario.miss(Clock.DELIVERY, ORDER)
    assert without_loss(first.parcel()) == without_loss(other.parcel())
    assert first.buckets() == other.buckets()
    assert first.order().shipments == other.order().shipments
    assert first.order().missed == other.order().missed
    assert rows(first) == rows(other)
    again = Book.of(NOUNS, other.log)
    assert again.state(parcels.stream("dhl", "P1")) == other.parcel()


def without_loss(parcel: parcels.Parcel) -> parcels.Parcel:
    """Whether it was given up before it moved on depends on what was known then."""
    return replace(parcel, lost_at=None, found_at=None)


def rows(scenario: Scenario) -> dict[str, list[str]]:
    """What read models that follow orders and parcels hold, but for how it became known that clocks were kept."""
    histories = dict[str, object]()
    for position, (stream, fact) in enumerate(scenario.log, 1):
        histories[stream] = folds(REGISTRY)[stream.partition("-")[0]](histories.get(stream), fact, position)
    page = Page(0, len(scenario.log), scenario.now)
    page.change({stream: (None, history) for stream, history in histories.items() if not stream.startswith("stock-")})
    page.load_neighbours(lambda streams: dict.fromkeys(streams))
    found = dict[str, list[str]]()
    for model in (TRACKING, SLA, SUPPLIER_PERFORMANCE, WORK):
        for written in model.changes(page):
            name = getattr(written, "table", None)
            if name is not None:
                named = (dict(zip(name.columns, row, strict=True)) for row in getattr(written, "new", []))
                found[name.name] = sorted(map(repr, map(_as_kept, named)))
    return found


def _as_kept(row: dict[str, Any]) -> dict[str, Any]:
    if row.get("state") not in (ClockState.MET, ClockState.WITHDRAWN):
        return row
    return {**row, "state": ClockState.MET, "missed_at": None, "withdrawn_at": None, "alarm": None}


@pytest.mark.parametrize("first", [FIFTH_DAY, THIRD_DAY])
def test_what_a_return_contradicts_is_no_arrival(first: datetime):
    scenario = on_the_way()
    for at in (first, THIRD_DAY, FIFTH_DAY):
        scenario.scan(DELIVERED, at)
    scenario.scan(ParcelStatus.RETURNED, NOON + 4 * DAY)
    assert arrived(scenario) == (THIRD_DAY, THIRD_DAY)
    scenario.scan(ParcelStatus.RETURNED, FIRST_DAY)
    assert (scenario.parcel().delivered_at, scenario.buckets()) == (None, {"returned": 3})
