"""When an order should arrive: by its carriers, by its suppliers, and else as promised."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations

import pytest
from msgspec.structs import replace

from ledger.nouns import orders
from ledger.nouns.orders.supplier_orders import LineAnswer
from ledger.nouns.parcels import Checkpoint, ParcelStatus
from tests.support.scenario import DAY, HOUR, NOON, Scenario, line, scan, sent, shipped

IN_TRANSIT, DELIVERED = ParcelStatus.IN_TRANSIT, ParcelStatus.DELIVERED
PROMISED = NOON + 6 * DAY


def estimated(at: datetime, by: datetime | None, status: ParcelStatus = IN_TRANSIT) -> Checkpoint:
    return replace(scan(status, at), expected_by=by)


def expected(scenario: Scenario) -> datetime | None:
    order = scenario.order()
    under_way = [scenario.parcel(each.number) for each in order.parcels if each.bucket == "shipped"]
    return orders.expected_by(order, [each.estimated_by for each in under_way if each.is_awaited])


def test_an_order_is_expected_as_promised_while_nobody_says_more():
    assert expected(shipped(promised_by=PROMISED)) == PROMISED
    assert expected(sent(promised_by=PROMISED)) == PROMISED


def test_the_estimate_of_its_carrier_counts_sooner_or_later_than_the_promise():
    scenario = shipped(promised_by=PROMISED)
    scenario.scans(estimated(NOON + HOUR, NOON + 4 * DAY))
    assert expected(scenario) == NOON + 4 * DAY
    scenario.scans(estimated(NOON + 2 * HOUR, NOON + 9 * DAY))
    assert expected(scenario) == NOON + 9 * DAY


@pytest.mark.parametrize("sequence", list(permutations([1, 2, 3])))
def test_the_newest_estimate_counts_whatever_is_told_first(sequence: tuple[int, ...]):
    scenario = shipped(promised_by=PROMISED)
    for hours in sequence:
        scenario.scans(estimated(NOON + hours * HOUR, NOON + (10 - hours) * DAY if hours < 3 else None))
    assert scenario.parcel().estimated_by == NOON + 8 * DAY


@pytest.mark.parametrize("status", [DELIVERED, ParcelStatus.RETURNING, ParcelStatus.RETURNED, ParcelStatus.LOST])
def test_nothing_is_expected_of_a_parcel_that_nobody_waits_for(status: ParcelStatus):
    scenario = shipped(promised_by=PROMISED)
    scenario.scans(estimated(NOON + HOUR, NOON + 4 * DAY), estimated(NOON + 2 * HOUR, NOON + 5 * DAY, status))
    assert (scenario.parcel().estimated_by, expected(scenario)) == (None, None)


def test_units_that_their_supplier_has_yet_to_get_are_expected_by_its_day():
    scenario = sent(promised_by=PROMISED)
    waits = LineAnswer(backordered=3, expected_at=NOON + 20 * DAY)
    scenario.answer({1: waits})
    assert expected(scenario) == NOON + 20 * DAY
    scenario.ship()
    assert expected(scenario) == PROMISED


def test_an_order_is_expected_with_the_last_of_its_units():
    scenario = sent(line(1, "tea", 1), line(2, "mug", 1), promised_by=PROMISED)
    scenario.ship({1: 1})
    scenario.scans(estimated(NOON + HOUR, NOON + 2 * DAY))
    assert expected(scenario) == PROMISED
    scenario.ship({2: 1}, number="P2")
    scenario.scans(estimated(NOON + HOUR, NOON + 8 * DAY), number="P2")
    assert expected(scenario) == NOON + 8 * DAY
    scenario.scan(DELIVERED, scenario.later(days=1), number="P2")
    assert expected(scenario) == NOON + 2 * DAY
