"""Rates of suppliers, as a scenario makes them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from psycopg.sql import SQL, Identifier

from ledger.decisions import order_payments
from ledger.facts import Change
from ledger.nouns import orders
from ledger.nouns.cases import Reason
from ledger.nouns.orders import ChargebackRecorded
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.money import Money
from ledger.terms.parties import Party
from ledger.terms.rates import Rate, RateName
from ledger.terms.rates import RateStatus as Status
from projections.machine.reads import Where
from projections.supplier_performance import SUPPLIER_PERFORMANCE, scorecards
from projections.supplier_performance.windows import Window
from tests.support.casework import PHOTO, Desk
from tests.support.projecting import asking, catch_up, connect, write_down
from tests.support.scenario import DAY, HOUR, NOON, ORDER, Scenario, a_shop, line, reject
from tests.support.stalls import EmptyTenant

LATER = NOON + 20 * DAY
ALL_TIME = Window(LATER, NOON - 365 * DAY, NOON + 365 * DAY)


async def rate_so_far(
    tenant: EmptyTenant, scenario: Scenario, name: RateName, supplier_id: str = "acme", window: Window = ALL_TIME
) -> tuple[int, int]:
    """What a rate counts after what is new in the scenario."""
    head = catch_up(tenant, scenario.log)
    scenario.log.clear()
    async with asking(tenant, head) as where:
        (card,) = (await scorecards.get_rates(where, supplier_id, window)).rows
    (found,) = (each for each in card.rates if each.name is name)
    return found.numerator, found.denominator


def chargeback(scenario: Scenario, order_id: str = ORDER) -> None:
    recorded = ChargebackRecorded(order_id, "cb-1", Money(500, "EUR"), scenario.now)
    scenario.record(order_payments.record_chargeback(scenario.book, recorded, scenario.now))


SUPPLIERS = ("acme", "bolt", "cup")


def lives(seed: int) -> Scenario:
    """Orders of three suppliers over 40 days, each with a fate of its own."""
    chance = random.Random(seed)
    scenario = a_shop()
    scenario.approve("cup")
    for number in range(25):
        scenario.now = NOON + chance.uniform(0, 40) * DAY
        order_id = f"shopify/{seed}-{number}"
        chosen = chance.sample(SUPPLIERS, chance.choice((1, 1, 2)))
        lines = [line(n, f"sku-{n}", 1, supplier_id) for n, supplier_id in enumerate(chosen, 1)]
        scenario.place(*lines, order_id=order_id, promised_by=scenario.now + chance.uniform(2, 9) * DAY)
        for n, _ in enumerate(chosen, 1):
            _fate(chance, scenario, f"{order_id}/{n}", n, f"N{seed}x{number}x{n}")
        if chance.random() < 0.4:
            facts = orders.review(scenario.order(order_id), f"r{number}", chance.randint(1, 5), scenario.now)
            scenario._about_order(order_id, facts)
        if chance.random() < 0.1:
            chargeback(scenario, order_id)
        arrived = scenario.order(order_id).in_bucket("delivered")
        if arrived and chance.random() < 0.5:
            _complaint(chance, Desk(scenario), order_id, {int(line_no): 1 for line_no in arrived})
    return scenario


def _complaint(chance: random.Random, desk: Desk, order_id: str, by_line: dict[int, int]) -> None:
    case_id = order_id.replace("/", "-")
    desk.scenario.later(days=1)
    desk.opens(chance.choice((Reason.WRONG_ITEM, Reason.DAMAGED, Reason.CHANGED_MIND)), by_line, case_id, order_id)
    if chance.random() < 0.7:
        desk.files(case_id=case_id)
        desk.reviews(case_id)
        desk.rules(chance.choice((Party.SUPPLIER, Party.CUSTOMER)), PHOTO, case_id=case_id)
        if chance.random() < 0.5:
            desk.denies(case_id=case_id)
    elif chance.random() < 0.3:
        desk.cancels(case_id)


def _fate(chance: random.Random, scenario: Scenario, supplier_order_id: str, line_no: int, number: str) -> None:
    scenario.send(supplier_order_id)
    if chance.random() < 0.1:
        scenario.answer({line_no: reject(1)}, supplier_order_id)
        return
    scenario.later(hours=chance.uniform(1, 72))
    if chance.random() < 0.8:
        scenario.ship({line_no: 1}, number=number, supplier_order_id=supplier_order_id)
        if chance.random() < 0.8:
            scenario.scan(ParcelStatus.IN_TRANSIT, scenario.now + chance.uniform(0, 30) * HOUR, number=number)
            scenario.later(days=chance.uniform(1, 9))
            if chance.random() < 0.8:
                scenario.scan(ParcelStatus.DELIVERED, number=number)


def recorded(tenant: EmptyTenant, changes: Sequence[Change], until: datetime) -> None:
    """Writes the changes down as if they had been recorded one by one, the last of them at an instant."""
    head = write_down(tenant, changes)
    query = """
        UPDATE {}.ledger_events SET recorded_at = %s - (%s - notification_id) * interval '37 minutes'
        WHERE notification_id > %s
    """
    with connect(tenant) as connection:
        connection.execute(SQL(query).format(Identifier(tenant.schema)), (until, head, head - len(changes)))


@asynccontextmanager
async def projected(
    tenant: EmptyTenant, scenario: Scenario, until: datetime, page_facts: int = 5000
) -> AsyncIterator[Where]:
    recorded(tenant, scenario.log, until)
    catch_up(tenant, projections=[SUPPLIER_PERFORMANCE], page_facts=page_facts)
    async with asking(tenant) as where:
        yield where


def figures_of(rates: Sequence[Rate]) -> dict[RateName, tuple[int, int]]:
    return {each.name: (each.numerator, each.denominator) for each in rates}


async def rates(
    tenant: EmptyTenant, scenario: Scenario, window: Window = ALL_TIME, supplier_id: str = "acme"
) -> dict[RateName, Rate]:
    """The scorecard after the whole scenario."""
    head = catch_up(tenant, scenario.log)
    async with asking(tenant, head) as where:
        answer = await scorecards.get_rates(where, supplier_id, window)
    assert answer.position == head
    return {rate.name: rate for rate in answer.rows[0].rates}


async def rate(
    tenant: EmptyTenant, scenario: Scenario, name: RateName, window: Window = ALL_TIME, supplier_id: str = "acme"
) -> tuple[int, int]:
    """What a rate counts after the whole scenario."""
    found = (await rates(tenant, scenario, window, supplier_id))[name]
    assert (found.status is Status.NO_DATA) == (found.denominator == 0)
    return found.numerator, found.denominator
