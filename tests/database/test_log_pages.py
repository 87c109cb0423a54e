"""The same log gives the same tables, in whatever pages and with whatever memory it is read."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

from ledger.facts import Change
from ledger.nouns.orders import HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.refusals import Refusal
from ledger.terms.clocks import Clock
from tests.support.long_story import long_story
from tests.support.projecting import catch_up, connect, contents, forget, write_down
from tests.support.stalls import EmptyTenant
from tests.support.story import Story, a_shop, accept, line, reject

ORDERS = [f"shopify/{n}" for n in (1, 2, 3)]
WHAT = (
    "place send send answer reject pack ship ship scan scan deliver lose dispute hold release cancel agree pay"
    " receive miss complete later later reserve let_go silence first_scan"
)
a_step = st.tuples(st.sampled_from(WHAT.split()), st.integers(0, 5))


def _told(steps: list[tuple[str, int]]) -> list[Change]:
    """A story of three orders in which whatever is refused did not happen."""
    story = a_shop(tea=12, mug=5)
    for number, (what, pick) in enumerate(steps):
        try:
            _happens(story, what, pick, number)
        except (Refusal, AssertionError, StopIteration):
            continue
    return story.log


def _happens(story: Story, what: str, pick: int, number: int) -> object:
    order_id = ORDERS[pick % 3]
    number_of = f"P{pick}"
    part = f"{order_id}/{1 + pick // 3}"
    match what:
        case "place":
            lines = (line(1, "tea", 1 + pick), line(2, "mug", 1, "bolt" if pick % 2 else "acme"))
            payment = PaymentState.PAID if pick < 4 else PaymentState.PENDING
            return story.place(
                *lines, order_id=order_id, payment=payment, promised_by=story.now + timedelta(days=1 + pick)
            )
        case "send":
            return story.send(part)
        case "answer":
            return story.answer({1: accept(1 + pick)}, part)
        case "reject":
            return story.answer({1: reject(1 + pick)}, part)
        case "pack":
            return story.pack("logo", supplier_order_id=part)
        case "ship":
            return story.ship({1: 1} if pick % 2 else None, part, number_of)
        case "scan":
            return story.scan(ParcelStatus.IN_TRANSIT, number=number_of)
        case "deliver":
            return story.scan(ParcelStatus.DELIVERED, number=number_of)
        case "lose":
            return story.scan(ParcelStatus.LOST, number=number_of)
        case "dispute":
            return story.dispute(number_of)
        case "hold":
            return story.hold(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "release":
            return story.release(HoldReason.CUSTOMER_REQUEST, order_id=order_id)
        case "cancel":
            return story.cancel({1: 1} if pick % 2 else None, order_id)
        case "agree":
            return story.answer_cancel(pick % 2 == 0, part)
        case "pay":
            return story.pay(PaymentState.PAID, order_id)
        case "receive":
            return story.receive(order_id)
        case "miss":
            return [story.miss(clock, part if clock != "delivery" else order_id, order_id) for clock in Clock]
        case "complete":
            return story.close_window(order_id)
        case "later":
            return story.later(hours=7 * (1 + pick) ** 2)
        case "reserve":
            return story.reserve(f"cart-{number}", 1 + pick % 2)
        case "let_go":
            return story.let_go(next(iter(story.stock().reservations)))
        case "silence":
            return story.suspect_loss(number_of)
        case _:
            return story.miss_first_scan(number_of)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(a_step, min_size=5, max_size=60), st.integers(2, 9))
def test_where_a_page_begins_and_ends_does_not_matter(tenant: EmptyTenant, steps: list[tuple[str, int]], size: int):
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    write_down(tenant, _told(steps))
    found = []
    for page_facts in (1, size, 1000):
        forget(tenant)
        catch_up(tenant, page_facts=page_facts)
        found.append(contents(tenant))
    assert found[0] == found[2]
    assert found[1] == found[2]


def test_a_projector_that_remembers_no_stream_gives_the_same_tables(tenant: EmptyTenant):
    story = long_story()
    catch_up(tenant, story.log)
    expected = contents(tenant)
    forget(tenant)
    with connect(tenant) as connection:
        connection.execute(SQL("TRUNCATE {}.ledger_events").format(Identifier(tenant.schema)))
    for start in range(0, len(story.log), 3):
        # Each catch-up starts with nothing in memory, so every stream is read from the log again.
        catch_up(tenant, story.log[start : start + 3])
    assert contents(tenant) == expected
