"""What is lost, back, refunded or given up ends: status, clocks and work, by themselves and for their reason.

Each row is a way in which an order of three units can end, with what is left of it then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from ledger.nouns import orders
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.orders import Header, HoldReason, PaymentState
from ledger.nouns.parcels import ParcelStatus
from ledger.terms.clocks import Clock
from ledger.terms.parties import Party
from ledger.terms.rates import RateName
from projections import work
from projections.machine.reads import PageOf
from projections.work import WorkKind
from tests.support.casework import Desk, reship_arrives
from tests.support.projecting import asking, catch_up
from tests.support.rating import rates
from tests.support.scenario import DAY, HOUR, NOON, ORDER, sent, shipped
from tests.support.stalls import EmptyTenant

DELIVERED, LOST, RETURNED = ParcelStatus.DELIVERED, ParcelStatus.LOST, ParcelStatus.RETURNED
RETURNING, DESTROYED = ParcelStatus.RETURNING, ParcelStatus.DESTROYED
PROMISED = NOON + 4 * DAY


class End(NamedTuple):
    """One way to end."""

    tell: Callable[[], Desk]
    header: Header
    work: list[str] = []
    """What somebody has to do still, by kind and reason."""
    arrives: tuple[int, int] = (0, 1)
    """The parcel in the rate of on-time delivery: in time, and counted."""
    missed: bool = False
    """Whether the promise was missed, which stays so."""


ENDS: list[End] = []


def ends(header: Header, *work: str, arrives: tuple[int, int] = (0, 1), missed: bool = False) -> Callable[..., None]:
    def keep(tell: Callable[[], Desk]) -> None:
        ENDS.append(End(tell, header, sorted(work), arrives, missed))

    return keep


def gone(status: ParcelStatus, *before: ParcelStatus) -> Desk:
    """The one parcel of an order went this way, two days after it left."""
    scenario = shipped(promised_by=PROMISED)
    for each in (*before, status):
        scenario.later(days=1)
        scenario.scan(each)
    return Desk(scenario)


def decided(desk: Desk, remedy: Remedy = Remedy.REFUND, by_line: dict[int, int] | None = None) -> Desk:
    """A case about what did not arrive, in which the customer gets this."""
    desk.opens(Reason.LOST, by_line or {1: 3})
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.approves(remedy)
    return desk


def paid(desk: Desk) -> Desk:
    desk.grants()
    desk.pays()
    return desk


# --- lost -----------------------------------------------------------------------------------------


@ends(Header.DISPATCHED, "parcel lost")
def lost_and_nobody_has_looked() -> Desk:
    return gone(LOST)


@ends(Header.CLOSED)
def lost_and_refunded() -> Desk:
    return paid(decided(gone(LOST)))


@ends(Header.CLOSED)
def destroyed_and_refunded() -> Desk:
    return paid(decided(gone(DESTROYED)))


@ends(Header.CLOSED)
def given_up_by_a_person_and_refunded() -> Desk:
    desk = gone(ParcelStatus.IN_TRANSIT)
    desk.scenario.later(days=40)
    desk.scenario.confirm_loss()
    desk.scenario.now = NOON + 3 * DAY
    return paid(decided(desk))


@ends(Header.CLOSED)
def lost_and_refunded_by_the_shop() -> Desk:
    desk = gone(LOST)
    desk.scenario.pay(PaymentState.REFUNDED)
    return desk


@ends(Header.CLOSED)
def lost_and_sent_once_more() -> Desk:
    desk = decided(gone(LOST), Remedy.RESHIP)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    return desk


@ends(Header.CLOSED)
def lost_sent_once_more_lost_again_and_refunded() -> Desk:
    desk = decided(gone(LOST), Remedy.RESHIP)
    reship_arrives(desk, LOST)
    desk.looks_at_the_reship()
    return paid(desk)


@ends(Header.CLOSED)
def lost_and_denied() -> Desk:
    desk = gone(LOST)
    desk.opens(Reason.LOST, {1: 3})
    desk.reviews()
    desk.rules(Party.CUSTOMER)
    desk.denies()
    return desk


@ends(Header.DISPATCHED, "parcel lost")
def lost_and_its_case_cancelled() -> Desk:
    desk = gone(LOST)
    desk.opens(Reason.LOST, {1: 3})
    desk.cancels()
    return desk


@ends(Header.DELIVERED, "recovery", arrives=(1, 1))
def lost_refunded_and_delivered_after_all() -> Desk:
    desk = paid(decided(gone(LOST)))
    desk.scenario.later(hours=1)
    desk.scenario.scan(DELIVERED)
    return desk


@ends(Header.DELIVERED, arrives=(1, 2))
def one_parcel_arrived_and_the_other_is_lost_and_refunded() -> Desk:
    scenario = sent(promised_by=PROMISED)
    scenario.ship({1: 1})
    scenario.ship({1: 2}, number="P2")
    scenario.later(days=1)
    scenario.scan(DELIVERED)
    scenario.scan(LOST, number="P2")
    return paid(decided(Desk(scenario), by_line={1: 2}))


# --- back at the sender ---------------------------------------------------------------------------


@ends(Header.DISPATCHED, "parcel returned")
def back_and_nobody_has_looked() -> Desk:
    return gone(RETURNED)


@ends(Header.DISPATCHED, "parcel returned")
def on_its_way_back_and_delivered_to_its_sender() -> Desk:
    return gone(DELIVERED, RETURNING)


@ends(Header.DISPATCHED, "parcel returned")
def back_and_delivered_to_its_sender() -> Desk:
    return gone(DELIVERED, RETURNING, RETURNED)


@ends(Header.DISPATCHED, "parcel returning")
def on_its_way_back() -> Desk:
    return gone(RETURNING)


@ends(Header.CLOSED, "parcel returned")
def back_and_refunded_but_not_looked_at() -> Desk:
    return paid(decided(gone(RETURNED)))


@ends(Header.CLOSED)
def back_inspected_and_refunded() -> Desk:
    desk = decided(gone(DELIVERED, RETURNING))
    desk.inspects(restocked=3)
    return paid(desk)


@ends(Header.CLOSED)
def back_inspected_and_sent_once_more() -> Desk:
    desk = decided(gone(RETURNED), Remedy.RESHIP)
    desk.inspects(restocked=3)
    reship_arrives(desk)
    desk.looks_at_the_reship()
    return desk


@ends(Header.CLOSED, "parcel returned")
def back_and_refunded_by_the_shop() -> Desk:
    desk = gone(RETURNED)
    desk.scenario.pay(PaymentState.REFUNDED)
    return desk


# --- late, and then ended otherwise ---------------------------------------------------------------


def late(desk: Desk) -> Desk:
    desk.scenario.now = PROMISED + HOUR
    desk.scenario.miss(Clock.DELIVERY, ORDER)
    return desk


@ends(Header.CLOSED, missed=True)
def late_then_lost_and_refunded() -> Desk:
    desk = late(gone(ParcelStatus.IN_TRANSIT))
    desk.scenario.later(hours=1)
    desk.scenario.scan(LOST)
    return paid(decided(desk))


@ends(Header.CLOSED, missed=True)
def late_then_back_inspected_and_refunded() -> Desk:
    desk = late(gone(RETURNING))
    desk.scenario.later(hours=1)
    desk.scenario.scan(DELIVERED)
    desk = decided(desk)
    desk.inspects(restocked=3)
    return paid(desk)


@ends(Header.CANCELLED, "refund", arrives=(0, 0), missed=True)
def late_and_then_cancelled() -> Desk:
    desk = late(Desk(sent(promised_by=PROMISED)))
    desk.scenario.miss(Clock.DISPATCH)
    desk.scenario.cancel()
    desk.scenario.answer_cancel(agreed=True)
    return desk


@ends(Header.CLOSED)
def on_hold_lost_and_refunded() -> Desk:
    desk = gone(LOST)
    desk.scenario.hold(HoldReason.CUSTOMER_REQUEST, "mia")
    return paid(decided(desk))


# --- all of them ----------------------------------------------------------------------------------


def names(end: End) -> str:
    return end.tell.__name__


@pytest.mark.parametrize("end", ENDS, ids=names)
async def test_status_clocks_and_work_end_by_themselves(tenant: EmptyTenant, end: End):
    scenario = end.tell().scenario
    order = scenario.order()
    assert order.header is end.header
    assert ((ORDER, Clock.DELIVERY) in order.missed) is end.missed
    if order.header.is_over:
        # That its money is paid back, which is work, may be waited for still.
        waiting = [each.clock for each in orders.deadlines(order) if not each.over]
        assert waiting == [Clock.REFUND_PAID] * ("refund" in end.work)
        assert order.ended_at == order.given_up_at
    waited_for = [each.number for each in order.parcels if scenario.parcel(each.number).awaits_scan]
    assert waited_for == (["P1"] if "parcel returning" in end.work else [])
    catch_up(tenant, scenario.log)
    async with asking(tenant) as where:
        rows = (await work.list_work(where, PageOf(99))).rows
    assert sorted(_said(each) for each in rows) == end.work


def _said(each: work.Work) -> str:
    return f"{each.kind} {each.because}" if each.kind is WorkKind.PARCEL else str(each.kind)


@pytest.mark.parametrize("end", ENDS, ids=names)
async def test_only_what_reached_the_customer_is_a_delivery(tenant: EmptyTenant, end: End):
    scenario = end.tell().scenario
    found = await rates(tenant, scenario)
    delivery = found[RateName.ON_TIME_DELIVERY]
    assert (delivery.numerator, delivery.denominator) == end.arrives
