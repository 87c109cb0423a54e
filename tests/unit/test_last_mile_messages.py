"""What customers are told of the last mile, and of a carrier's estimate."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

from ledger.decisions import notices as deciding
from ledger.decisions.notices import Notice
from ledger.nouns import parcels
from ledger.nouns.messages import MessageCancelled, MessageKind
from ledger.nouns.parcels import ParcelStatus
from projections.machine.streams import LoggedFact
from projections.outbox.causes import notices
from tests.support.scenario import DAY, HOUR, NOON, Scenario, line, scan, shipped

IN_TRANSIT, DELAYED = ParcelStatus.IN_TRANSIT, ParcelStatus.DELAYED
PROMISED = NOON + 5 * DAY
TEMPLATES = {(kind, "en"): 1 for kind in MessageKind}


def due(scenario: Scenario, kind: MessageKind) -> list[Notice]:
    """The messages of a kind that the facts of parcel P1 make due."""
    state, logged = None, []
    for position, (stream, fact) in enumerate(scenario.log, 1):
        if stream == parcels.stream("dhl", "P1"):
            state = parcels.evolve(state, fact)  # type: ignore[arg-type]
            logged.append(LoggedFact(position, fact, state))
    return [each for each in notices(logged) if each.kind is kind]


def not_told_because(scenario: Scenario, notice: Notice) -> str:
    changes = deciding.ask(scenario.book, notice, TEMPLATES, scenario.now)
    return next((fact.because for _, fact in changes if isinstance(fact, MessageCancelled)), "")


def estimated(scenario: Scenario, hours: int, by: datetime, status: ParcelStatus = IN_TRANSIT) -> None:
    scenario.scans(replace(scan(status, NOON + hours * HOUR), expected_by=by))


def test_the_number_of_the_last_mile_is_told_once():
    scenario = shipped()
    scenario.hand_over()
    scenario.scan(IN_TRANSIT, scenario.later(hours=1), number="L1")
    scenario.hand_over()
    (told,) = due(scenario, MessageKind.LAST_MILE)
    assert (told.about.last_mile, told.about.number, told.about.order_id) == (("dhl", "L1"), "P1", "shopify/1")
    assert not_told_because(scenario, told) == ""


def test_both_customers_of_one_parcel_are_told():
    scenario = shipped()
    scenario.place(line(1, "tea", 1), order_id="shopify/2")
    scenario.send("shopify/2/1")
    scenario.ship(supplier_order_id="shopify/2/1")
    scenario.hand_over()
    assert [each.about.order_id for each in due(scenario, MessageKind.LAST_MILE)] == ["shopify/1", "shopify/2"]


@pytest.mark.parametrize("what", ["arrived", "turned back", "taken back", "handed over again"])
def test_a_number_that_helps_nobody_any_more_is_not_told(what: str):
    scenario = shipped()
    scenario.hand_over()
    told = due(scenario, MessageKind.LAST_MILE)[0]
    match what:
        case "arrived":
            scenario.scan(ParcelStatus.DELIVERED)
        case "turned back":
            scenario.scan(ParcelStatus.RETURNING)
        case "taken back":
            scenario.void("L1")
        case _:
            scenario.hand_over("L2")
    assert not_told_because(scenario, told) == "superseded"


def test_a_delay_that_the_carrier_reports_names_its_new_day():
    scenario = shipped(promised_by=PROMISED)
    estimated(scenario, 1, NOON + 9 * DAY, DELAYED)
    assert [(each.about.because, each.about.due) for each in due(scenario, MessageKind.DELAYED)] == [
        ("carrier", NOON + 9 * DAY)
    ]


def test_the_first_estimate_after_the_promise_is_told_in_advance_and_no_later_one():
    scenario = shipped(promised_by=PROMISED)
    estimated(scenario, 1, NOON + 4 * DAY)
    assert due(scenario, MessageKind.DELAYED) == []
    estimated(scenario, 2, NOON + 8 * DAY)
    estimated(scenario, 3, NOON + 9 * DAY)
    (told,) = due(scenario, MessageKind.DELAYED)
    assert (told.about.because, told.about.due) == ("estimate", NOON + 8 * DAY)
    assert not_told_because(scenario, told) == ""
    estimated(scenario, 4, NOON + 5 * DAY)
    assert not_told_because(scenario, told) == "superseded"


def test_an_old_estimate_that_comes_late_worries_nobody():
    scenario = shipped(promised_by=PROMISED)
    estimated(scenario, 3, NOON + 4 * DAY)
    estimated(scenario, 1, NOON + 8 * DAY)
    assert due(scenario, MessageKind.DELAYED) == []


def test_without_a_promise_no_estimate_is_late():
    scenario = shipped()
    estimated(scenario, 1, NOON + 50 * DAY)
    assert due(scenario, MessageKind.DELAYED) == []
