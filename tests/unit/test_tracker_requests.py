"""Requests to trackers over real HTTP, to services that are played: numbers are given to be followed, and asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapters.edges.agreement import Account
from adapters.edges.effects import NotDone, Telling, ToldNow
from adapters.edges.http import Http, HttpClient, Limit, SystemUnreachable, TryLater
from adapters.edges.questions import FetchedPage, Tracked
from adapters.tracking.tracker import UnexpectedAnswer
from ledger.terms.effects import EffectKind, FollowNumber
from tests.support.aggregator import Aggregator, aggregator
from tests.support.tracker_formats import SECRETS, PlayedScan
from tests.support.tracking_payloads import tracker

FOLLOWING = ["aftership", "17track", "kuaidi100", "easypost", "shippo"]
ASKED = ["17track", "kuaidi100", "easypost", "shippo", "dhl"]
NUMBER = Telling(FollowNumber("usps", "9400110898825022579493", "US"), "key-1")


@pytest.fixture(scope="module")
def played() -> Iterator[Aggregator]:
    with aggregator() as played:
        yield played


@pytest.fixture(autouse=True)
def anew(played: Aggregator) -> None:
    """Nobody follows anything."""
    for known in (played.followed, played.asked, played.registered, played.refused, played.answers):
        known.clear()


def account(played: Aggregator, system: str, **secrets: str) -> Account:
    return Account("main", played.settings(system), ({**SECRETS[system], **secrets},))


def carry_out(system: str, to: Account, telling: Telling = NUMBER) -> ToldNow:
    async def scenario() -> ToldNow:
        async with HttpClient(private_too=True) as client:
            return await tracker(system).carry_out(Http(client, Limit(100, 100)), to, telling)

    return asyncio.run(scenario())


def ask(system: str, to: Account, *numbers: str) -> FetchedPage:
    async def scenario() -> FetchedPage:
        async with HttpClient(private_too=True) as client:
            tracked = [Tracked("usps", number) for number in numbers]
            return await tracker(system).asked(Http(client, Limit(100, 100)), to, tracked)

    return asyncio.run(scenario())


@pytest.mark.parametrize("system", FOLLOWING)
def test_a_number_is_given_once_and_again_is_success(played: Aggregator, system: str):
    to = account(played, system)
    assert tracker(system).is_told(EffectKind.FOLLOW, to)
    for _ in range(2):
        assert carry_out(system, to) == ToldNow()
    ((name, number),) = played.followed
    assert (name, number) == (system, "9400110898825022579493")
    assert len(played.registered) == 2


@pytest.mark.parametrize("system", FOLLOWING)
def test_a_number_that_is_not_taken_needs_a_person_and_trouble_is_tried_again(played: Aggregator, system: str):
    to = account(played, system)
    played.refused.add("9400110898825022579493")
    with pytest.raises(NotDone):
        carry_out(system, to)
    for status, expected in ((503, SystemUnreachable), (429, TryLater), (401, SystemUnreachable)):
        played.answers = [status]
        with pytest.raises(expected):
            carry_out(system, to)
    assert not played.followed


@pytest.mark.parametrize("system", [*FOLLOWING, "dhl", "carrier"])
def test_a_connection_that_cannot_follow_numbers_is_not_told_of_them(played: Aggregator, system: str):
    without = Account("main", {}, ({},))
    assert not tracker(system).is_told(EffectKind.FOLLOW, without)
    assert not tracker(system).is_told(EffectKind.STOCK, account(played, system) if system != "carrier" else without)
    assert not tracker(system).is_asked(without)


@pytest.mark.parametrize("system", ASKED)
def test_what_a_service_knows_of_a_number_is_asked_and_of_one_that_it_does_not_know_nothing(
    played: Aggregator, system: str
):
    to = account(played, system)
    played.follow(system, "KNOWN1", "0" if system == "17track" else "usps")
    played.scan(system, "KNOWN1", PlayedScan(datetime(2026, 3, 1, 9, tzinfo=UTC), "in_transit"))
    page = ask(system, to, "NOBODYS", "KNOWN1")
    (found,) = page.found
    assert found.received.object_id.endswith("/KNOWN1")
    assert tracker(system).is_asked(to)


@pytest.mark.parametrize("system", ASKED)
def test_without_the_right_key_no_number_is_asked_for(played: Aggregator, system: str):
    wrong = account(played, system, api_key="wrong", key="wrong")
    if system == "kuaidi100":  # it answers 200 whatever is wrong
        assert "503" in ask(system, wrong, "KNOWN1").problem
        return
    with pytest.raises(UnexpectedAnswer, match="fulfilment connection rotate"):
        ask(system, wrong, "KNOWN1", "KNOWN2")
    assert not played.asked


def test_dhl_is_asked_as_often_as_it_answers_a_day():
    dhl = tracker("dhl")
    assert dhl.pause_between_questions(Account("main", {}, ({},))) == 345.6
    assert dhl.pause_between_questions(Account("main", dhl.checked({"calls_a_day": "86400"}), ({},))) == 1
    for wrong in ("0", "-1", "many", "10000000", "²"):
        with pytest.raises(ValueError, match="calls_a_day"):
            dhl.checked({"calls_a_day": wrong})
