"""The link of an order's tracking page, by which its customer sees it without a login.

An order has one link at a time. Which one that is stands here as a number; the address is made of it with a key of the
service, so that nothing here tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from ledger.facts import Fact, Value

# --- facts ----------------------------------------------------------------------------------------


class TrackingLinkWithdrawn(Fact, frozen=True, tag="order.tracking_link_withdrawn"):
    """The link opens nothing any more, and there is no other one."""

    order_id: str
    link: int
    by: str
    at: datetime


class TrackingLinkRenewed(Fact, frozen=True, tag="order.tracking_link_renewed"):
    """The order has a new link; those of before open nothing any more."""

    order_id: str
    link: int
    """The new one."""
    by: str
    at: datetime


TrackingLinkFact = TrackingLinkWithdrawn | TrackingLinkRenewed

# --- state ----------------------------------------------------------------------------------------


class TrackingLink(Value, frozen=True):
    """The newest link of an order."""

    number: int = 1
    is_withdrawn: bool = False
    changed_by: str = ""
    """Empty while nobody changed it."""
    changed_at: datetime | None = None

    def opens(self, number: int) -> bool:
        """Whether the page is shown to whoever has the link of this number."""
        return number == self.number and not self.is_withdrawn


def linked(link: TrackingLink, fact: TrackingLinkFact) -> TrackingLink:
    match fact:
        case TrackingLinkWithdrawn():
            return replace(link, is_withdrawn=True, changed_by=fact.by, changed_at=fact.at)
        case TrackingLinkRenewed():
            return TrackingLink(fact.link, False, fact.by, fact.at)
        case _:
            assert_never(fact)


# --- decisions ------------------------------------------------------------------------------------


def withdraw_link(link: TrackingLink, order_id: str, by: str, at: datetime) -> Sequence[TrackingLinkFact]:
    """Withdrawing what is withdrawn records nothing."""
    return [] if link.is_withdrawn else [TrackingLinkWithdrawn(order_id, link.number, by, at)]


def renew_link(link: TrackingLink, order_id: str, by: str, at: datetime) -> Sequence[TrackingLinkFact]:
    """A new link. The same again, of the same person and time, records nothing."""
    said_before = not link.is_withdrawn and (link.changed_by, link.changed_at) == (by, at)
    return [] if said_before else [TrackingLinkRenewed(order_id, link.number + 1, by, at)]
