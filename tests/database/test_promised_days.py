"""A promise given as a day: when that day is over, and what goes by it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.rpc.orders.people import _readable
from ledger.facts import LineNo, Sealed
from ledger.nouns.cases import NotLate, Reason
from ledger.nouns.orders import PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.places import COUNTRIES, Destination
from ledger.terms.rates import RateName
from ledger.terms.time_zones import end_of_day, zone_of
from tests.support.casework import Desk
from tests.support.projecting import tracked
from tests.support.rating import rate
from tests.support.scenario import (
    DAY,
    HOUR,
    NOON,
    ORDER,
    Scenario,
    confirmed,
    line,
    names,
    refused,
    sent,
    shipped,
)
from tests.support.stalls import EmptyTenant

FRIDAY = date(2026, 3, 6)
"""Four days after NOON."""
CALIFORNIA = Destination("US", "California")
END_IN_BERLIN = datetime(2026, 3, 6, 23, tzinfo=UTC)
"""Midnight, which is the next day's."""
AN_INSTANT = timedelta.resolution


# --- when a day is over -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "region", "hour"),
    [
        ("DE", "", 23 - 24),
        ("GB", "", 0),
        ("CN", "", 16 - 24),
        ("NZ", "", 11 - 24),
        ("US", "California", 8),
        ("US", "us-ny", 5),
        ("US", "TX", 6),
        ("US", "", 10),
        ("CA", "Québec", 5),
        ("CA", "", 8),
        ("AU", "NSW", 13 - 24),
        ("AU", "", 16 - 24),
        ("BR", "SP", 3),
        ("BR", "São Paulo", 3),
        ("BR", "Acre", 5),
        ("MX", "Quintana Roo", 5),
        ("ID", "Bali", 16 - 24),
        ("RU", "MOW", 21 - 24),
        ("RU", "Primorsky", 14 - 24),
        ("RU", "somewhere", 22 - 24),
        ("", "", 12),
    ],
)
def test_a_day_is_over_at_midnight_where_the_order_goes(country: str, region: str, hour: int):
    midnight = datetime(2026, 1, 13, tzinfo=UTC)
    assert end_of_day(date(2026, 1, 12), Destination(country, region)) == midnight + hour * HOUR


@pytest.mark.parametrize(
    ("country", "region", "prefix", "hour"),
    [
        ("FR", "", "75", 23 - 24),
        ("FR", "", "971", 4),
        ("FR", "", "972", 4),
        ("FR", "", "973", 3),
        ("FR", "", "974", 20 - 24),
        ("FR", "", "975", 3),
        ("FR", "", "976", 21 - 24),
        ("FR", "", "980", 23 - 24),
        ("FR", "", "987", 10),
        ("FR", "", "97", 4),  # as much as was kept of older orders
        ("FR", "La Réunion", "", 20 - 24),
        ("FR", "Guadeloupe", "", 4),
        ("FR", "Île-de-France", "75", 23 - 24),
        ("ES", "", "28", 23 - 24),
        ("ES", "", "35", 0),
        ("ES", "Santa Cruz de Tenerife", "", 0),
        ("ES", "", "", 0),
        ("PT", "", "100", 0),
        ("PT", "", "90", 0),
        ("PT", "", "950", 1),
        ("PT", "Açores", "", 1),
        ("PT", "", "", 1),
        ("DK", "", "10", 23 - 24),
        ("DK", "", "39", 4),
        ("PT", "", "x9", 1),
        ("FR", "", "97133", 4),
    ],
)
def test_islands_have_the_time_that_their_postal_codes_tell(country: str, region: str, prefix: str, hour: int):
    midnight = datetime(2026, 1, 13, tzinfo=UTC)
    assert end_of_day(date(2026, 1, 12), Destination(country, region, prefix)) == midnight + hour * HOUR


def test_a_day_is_as_long_as_the_clocks_of_its_place_make_it():
    spring = date(2026, 3, 29)
    assert end_of_day(spring, Destination("DE")) - end_of_day(date(2026, 3, 28), Destination("DE")) == 23 * HOUR


def test_every_country_has_a_time_zone():
    assert [country for country in COUNTRIES if zone_of(Destination(country)) == zone_of(Destination())] == []


@pytest.mark.parametrize(
    ("country", "code", "readable"),
    [
        ("FR", "97120", "971"),
        ("FR", "97133", "97133"),
        ("FR", "F-97410", "974"),
        ("FR", "75011", "75"),
        ("FR", "", ""),
        ("DE", "D-10115", "10"),
        ("PT", "9500-321", "950"),
        ("GB", "SW1A 1AA", "SW1"),
        ("US", "00901", "00"),
    ],
)
def test_of_a_postal_code_so_much_stays_readable_as_finds_a_district(country: str, code: str, readable: str):
    assert _readable(code, country) == readable


# --- what goes by it --------------------------------------------------------------------------------


def test_a_promised_day_is_kept_until_it_has_ended_at_the_destination():
    scenario = sent(promised_day=FRIDAY)
    assert (scenario.order().promised_day, scenario.order().promised_by) == (FRIDAY, END_IN_BERLIN - AN_INSTANT)
    scenario.now = END_IN_BERLIN - HOUR
    assert scenario.miss(Clock.DELIVERY, ORDER) == []
    scenario.ship()
    scenario.scan(ParcelStatus.DELIVERED)
    assert (ORDER, Clock.DELIVERY) not in scenario.order().missed


def test_a_promised_day_is_broken_once_it_has_ended():
    scenario = shipped(promised_day=FRIDAY)
    scenario.now = END_IN_BERLIN
    assert names(scenario.miss(Clock.DELIVERY, ORDER)) == ["deadline_missed"]


@pytest.mark.parametrize("midnight", [True, False])
def test_what_arrives_at_the_midnight_after_the_promised_day_is_late(midnight: bool):
    scenario = shipped(promised_day=FRIDAY)
    scenario.now = END_IN_BERLIN
    scenario.scan(ParcelStatus.DELIVERED, END_IN_BERLIN if midnight else END_IN_BERLIN - AN_INSTANT)
    assert ((ORDER, Clock.DELIVERY) in scenario.order().missed) is midnight


def test_an_instant_stays_an_instant():
    scenario = shipped(promised_by=NOON + DAY)
    assert (scenario.order().promised_by, scenario.order().promised_day) == (NOON + DAY, None)
    assert scenario.parcel().promised_by == NOON + DAY


def test_an_address_that_changes_moves_the_end_of_the_day():
    scenario = sent(promised_day=FRIDAY)
    scenario.change_address(Sealed("key-anna", b"Los Angeles"), CALIFORNIA)
    assert scenario.order().promised_by == datetime(2026, 3, 7, 8, tzinfo=UTC) - AN_INSTANT
    scenario.ship()
    assert (scenario.parcel().promised_by, scenario.parcel().promised_day) == (scenario.order().promised_by, FRIDAY)


def test_a_breach_of_the_promised_day_is_withdrawn_where_the_day_ends_later():
    scenario = sent(promised_day=FRIDAY)
    scenario.now = END_IN_BERLIN
    assert names(scenario.miss(Clock.DELIVERY, ORDER)) == ["deadline_missed"]
    assert "breach_withdrawn" in names(scenario.change_address(Sealed("key-anna", b"Los Angeles"), CALIFORNIA))
    assert (ORDER, Clock.DELIVERY) not in scenario.order().missed


def test_an_address_that_comes_later_says_when_the_day_ends():
    scenario = Scenario()
    scenario.approve()
    scenario.feed(10)
    scenario.place(promised_day=FRIDAY, destination=Destination(), has_address=False, payment=PaymentState.PAID)
    assert scenario.order().promised_by == datetime(2026, 3, 7, 12, tzinfo=UTC) - AN_INSTANT
    scenario.complete(destination=CALIFORNIA, has_address=True)
    assert scenario.order().confirmed_at is not None
    assert scenario.order().promised_by == datetime(2026, 3, 7, 8, tzinfo=UTC) - AN_INSTANT


async def test_what_arrives_on_the_promised_day_is_on_time(tenant: EmptyTenant):
    scenario = shipped(promised_day=FRIDAY)
    scenario.scan(ParcelStatus.DELIVERED, END_IN_BERLIN - HOUR)
    assert await rate(tenant, scenario, RateName.ON_TIME_DELIVERY) == (1, 1)


async def test_what_arrives_at_the_midnight_after_it_is_not(tenant: EmptyTenant):
    scenario = shipped(promised_day=FRIDAY)
    scenario.scan(ParcelStatus.DELIVERED, END_IN_BERLIN)
    assert await rate(tenant, scenario, RateName.ON_TIME_DELIVERY) == (0, 1)


async def test_tracking_shows_the_day_of_orders_and_parcels(tenant: EmptyTenant):
    order = await tracked(tenant, shipped(promised_day=FRIDAY))
    assert (order.details.promised_day, order.promised_by) == (FRIDAY, END_IN_BERLIN - AN_INSTANT)
    assert [(each.promised_day, each.expected_by) for each in order.parcels] == [(FRIDAY, END_IN_BERLIN - AN_INSTANT)]


def test_nothing_is_late_on_the_promised_day():
    desk = Desk(shipped(promised_day=FRIDAY))
    desk.scenario.now = END_IN_BERLIN - AN_INSTANT
    with refused(NotLate, "2026-03-06"):
        desk.opens(Reason.LATE, {LineNo(1): 1})


def test_a_day_that_was_confirmed_stays_that_day():
    assert confirmed(line(1, "tea", 1), promised_day=FRIDAY).order().promised_day == FRIDAY
