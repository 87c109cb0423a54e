"""The same log gives the same tables, in whatever pages and with whatever memory it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from ledger.engine.registry import Registry
from ledger.engine.shelf import Memory
from ledger.facts import Change
from ledger.nouns import NOUNS, stock
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from projections.machine import runner, streams
from projections.machine.database import open_connection
from projections.machine.streams import Page, Streams
from tests.support.long_scenario import long_scenario
from tests.support.projecting import begin_again, catch_up, connect, contents, write_down
from tests.support.scenario import Scenario, a_shop, accept, line, reject
from tests.support.stalls import EmptyTenant

ORDERS = [f"shopify/{n}" for n in (1, 2, 3)]
WHAT = (
    "place send send answer reject pack ship ship scan scan deliver lose dispute hold release cancel agree pay"
    " receive miss complete later later reserve let_go silence first_scan"
)
a_step = st.tuples(st.sampled_from(WHAT.split()), st.integers(0, 5))


def _changes(steps: list[tuple[str, int]]) -> list[Change]:
    """A scenario of three orders in which whatever is refused did not happen."""
    scenario = a_shop(tea=12, mug=5)
    for number, (what, pick) in enumerate(steps):
        try:
            _happens(scenario, what, pick, number)
        except (Refusal, AssertionError, StopIteration):
            continue
    return scenario.log


def _happens(scenario: Scenario, what: str, pick: int, number: int) -> object:
    order_id = ORDERS[pick % 3]
    number_of = f"P{pick}"
    part = f"{order_id}/{1 + pick // 3}"
    match what:
        case "place":
            lines = (line(1, "tea", 1 + pick), line(2, "mug", 1, "bolt" if pick % 2 else "acme"))
            payment = PaymentState.PAID if pick < 4 else PaymentState.PENDING
            return scenario.place(
                *lines, order_id=order_id, payment=payment, promised_by=scenario.now + timedelta(days=1 + pick)
            )
        case "send":
            return scenario.send(part)
        case "answer":
            return scenario.answer({1: accept(1 + pick)}, part)
        case "reject":
            return scenario.answer({1: reject(1 + pick)}, part)
        case "pack":
            return scenario.pack("logo", supplier_order_id=part)
        case "ship":
            return scenario.ship({1: 1} if pick % 2 else None, part, number_of)
        case "scan":
            return scenario.scan(ParcelStatus.IN_TRANSIT, number=number_of)
        case "deliver":
            return scenario.scan(ParcelStatus.DELIVERED, number=number_of)
        case "lose":
            return scenario.scan(ParcelStatus.LOST, number=number_of)
        case "dispute":
            return scenario.dispute(number_of)
        case "hold":
            return scenario.hold(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "release":
            return scenario.release(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "cancel":
            return scenario.cancel({1: 1} if pick % 2 else None, order_id)
        case "agree":
            return scenario.answer_cancel(pick % 2 == 0, part)
        case "pay":
            return scenario.pay(PaymentState.PAID, order_id)
        case "receive":
            return scenario.receive(order_id)
        case "miss":
            return [scenario.miss(clock, part if clock != "delivery" else order_id, order_id) for clock in Clock]
        case "complete":
            return scenario.close_window(order_id)
        case "later":
            return scenario.later(hours=7 * (1 + pick) ** 2)
        case "reserve":
            return scenario.reserve(f"cart-{number}", 1 + pick % 2)
        case "let_go":
            return scenario.let_go(next(iter(scenario.stock().reservations)))
        case "silence":
            return scenario.suspect_loss(number_of)
        case _:
            return scenario.miss_first_scan(number_of)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(a_step, min_size=5, max_size=60), st.integers(2, 9))
def test_where_a_page_begins_and_ends_does_not_matter(tenant: EmptyTenant, steps: list[tuple[str, int]], size: int):
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    write_down(tenant, _changes(steps))
    found = []
    for page_facts in (1, size, 1000):
        begin_again(tenant)
        catch_up(tenant, page_facts=page_facts)
        found.append(contents(tenant))
    assert found[0] == found[2]
    assert found[1] == found[2]


def test_a_projector_that_remembers_no_stream_gives_the_same_tables(tenant: EmptyTenant):
    scenario = long_scenario()
    catch_up(tenant, scenario.log)
    expected = contents(tenant)
    begin_again(tenant)
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    for start in range(0, len(scenario.log), 3):
        # Each catch-up starts with nothing in memory, so every stream is read from the log again.
        catch_up(tenant, scenario.log[start : start + 3])
    assert contents(tenant) == expected


def test_a_projector_with_little_memory_gives_the_same_tables(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    scenario = long_scenario()
    catch_up(tenant, scenario.log, page_facts=20)
    expected, held = contents(tenant), list[int]()

    def watched(self: Streams, connection: Connection[Any], limit: int) -> Page | None:
        page = read(self, connection, limit)
        held.append(self._histories.memory_bytes)
        return page

    read = Streams.read
    monkeypatch.setattr(Streams, "read", watched)
    monkeypatch.setattr(runner, "Memory", lambda: Memory(6_000))
    begin_again(tenant)
    catch_up(tenant, page_facts=20)
    assert contents(tenant) == expected
    assert 3_000 < max(held) <= 6_000, "it is used, and is enough for a few streams"


def test_a_stream_without_end_weighs_what_its_state_does(tenant: EmptyTenant, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "_WEIGHED_BYTES", 2_000)
    at, tea = datetime(2026, 3, 2, tzinfo=UTC), stock.stream("acme", "tea")
    taken = [
        fact
        for number in range(40)
        for fact in (
            stock.StockReserved("acme", "tea", f"shop/{number}", 1, expires_at=at, at=at),
            stock.ReservationReleased("acme", "tea", f"shop/{number}", 1, at=at),
        )
    ]
    write_down(tenant, [(tea, fact) for fact in taken])
    memory = Memory(10_000)
    following = Streams(tenant.schema, 0, Registry(NOUNS), memory=memory)
    shelf, most = following._histories, 0
    with open_connection(tenant.conninfo) as connection:
        while following.read(connection, 4):
            assert tea in shelf, "all that was ever taken from it would have no room"
            most = max(most, shelf.memory_bytes)
    assert 5_000 < most <= 10_000 < 3.5 * sum(len(Registry(NOUNS).encode(fact)) for fact in taken)
