"""Timers: a class for each kind of thing that runs out, with the decision that notices it (DOMAIN 3, 4, 6).

Read models name what ran out. The decision looks at the present again and may record nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from msgspec import convert
from msgspec.structs import astuple

from ledger.decisions import after_sales, confirmation, dispatch, listings, rerouting, retention
from ledger.facts import Change, Fact, Value, changes_of, order_of
from ledger.nouns import (
    cases,
    claims,
    inquiries,
    orders,
    parcels,
    policies,
    recoveries,
    skus,
    stock,
    stock_ups,
    suppliers,
)
from ledger.nouns.orders import breaches
from ledger.nouns.policies import policy_at
from ledger.terms.clocks import Clock
from ledger.terms.rates import Rate
from ledger.view import View

TIMERS: dict[str, type[Timer]] = {}
"""All there are, by name."""


class Timer(Value, frozen=True, array_like=True, kw_only=True):
    """Something that ran out, as its fields name it, and when. A class that has a name is one of TIMERS."""

    name: ClassVar[str]
    due: datetime

    def __init_subclass__(cls, **options: Any) -> None:
        if "name" in cls.__dict__:
            TIMERS[cls.name] = cls

    @property
    def stream(self) -> str:
        """What it is about."""
        raise NotImplementedError

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        """The facts to record on that stream."""
        raise NotImplementedError

    def notice(self, view: View, now: datetime) -> list[Change]:
        return changes_of(self.stream, self.facts(view, now))

    @property
    def names(self) -> tuple[str, ...]:
        """What it is about, as the request id names it."""
        return tuple(map(str, astuple(self)[:-1]))

    def request(self, attempt: int) -> str:
        """The id of the request that notices it. Its form never changes, because repetitions are found by it."""
        return ":".join((self.name, "/".join(self.names), self.due.isoformat(), str(attempt)))


# --- clocks: each is named by its object ----------------------------------------------------------


class _OfSupplierOrder(Timer, frozen=True):
    object_id: str

    @property
    def order_id(self) -> str:
        return order_of(self.object_id)

    @property
    def names(self) -> tuple[str, ...]:
        return (self.order_id, *super().names)

    @property
    def stream(self) -> str:
        return orders.stream(self.order_id)


class DeadlineDue(_OfSupplierOrder, frozen=True):
    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return breaches.miss_deadline(orders.find(view, self.order_id), self.object_id, Clock(self.name), now)


class AcknowledgeDue(DeadlineDue, frozen=True):
    name = Clock.ACKNOWLEDGE


class DispatchDue(DeadlineDue, frozen=True):
    name = Clock.DISPATCH


class SendDue(DeadlineDue, frozen=True):
    name = Clock.SEND


class CancelAnswerDue(DeadlineDue, frozen=True):
    name = Clock.CANCEL_ANSWER


class DeliveryDue(DeadlineDue, frozen=True):
    name = Clock.DELIVERY

    @property
    def order_id(self) -> str:
        return self.object_id


class FirstScanDue(Timer, frozen=True):
    name = Clock.FIRST_SCAN
    object_id: str

    @property
    def stream(self) -> str:
        carrier, number, _ = self.object_id.split("/")
        return parcels.stream(carrier, number)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        carrier, number, epoch = self.object_id.split("/")
        return parcels.miss_first_scan(parcels.find(view, carrier, number), int(epoch), now)


class AnswerDue(Timer, frozen=True):
    name = Clock.ANSWER
    inquiry_id: str

    @property
    def stream(self) -> str:
        return inquiries.stream(self.inquiry_id)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return inquiries.miss_answer(inquiries.find(view, self.inquiry_id), now)


class StockUpAnswerDue(Timer, frozen=True):
    name = Clock.STOCK_UP_ANSWER
    stock_up_id: str

    @property
    def stream(self) -> str:
        return stock_ups.stream(self.stock_up_id)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return stock_ups.miss_answer(stock_ups.find(view, self.stock_up_id), now)


class _OfCase(Timer, frozen=True):
    case_id: str

    @property
    def stream(self) -> str:
        return cases.stream(self.case_id)


class FirstAnswerDue(_OfCase, frozen=True):
    name = Clock.FIRST_ANSWER

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return cases.miss_first_answer(cases.find(view, self.case_id), now)


class ResolutionDue(Timer, frozen=True):
    name = Clock.RESOLUTION
    object_id: str

    @property
    def case_id(self) -> str:
        return self.object_id.partition("/")[0]

    @property
    def stream(self) -> str:
        return cases.stream(self.case_id)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return cases.miss_deadline(cases.find(view, self.case_id), self.object_id, Clock(self.name), now)


class RefundPaidDue(ResolutionDue, frozen=True):
    """Of a refund of a case, ``case/refund``; or of what is owed of an order, ``channel/number/owed-1``."""

    name = Clock.REFUND_PAID

    @property
    def order_id(self) -> str:
        """The order that owes it; "" if it is a case's refund."""
        return order_of(self.object_id) if self.object_id.count("/") == 2 else ""

    @property
    def stream(self) -> str:
        return orders.stream(self.order_id) if self.order_id else super().stream

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        if not self.order_id:
            return super().facts(view, now)
        return breaches.miss_deadline(orders.find(view, self.order_id), self.object_id, Clock(self.name), now)


class _OfRecovery(Timer, frozen=True):
    recovery_id: str

    @property
    def stream(self) -> str:
        return recoveries.stream(self.recovery_id)


class ClaimFilingDue(_OfRecovery, frozen=True):
    name = Clock.CLAIM_FILING

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return claims.bar(recoveries.find(view, self.recovery_id), now)


class RecoveryAnswerDue(_OfRecovery, frozen=True):
    name = Clock.RECOVERY_ANSWER

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return recoveries.miss_answer(recoveries.find(view, self.recovery_id), now)


# --- what obliges nobody --------------------------------------------------------------------------


class ClaimEligibleDue(_OfRecovery, frozen=True):
    """The carrier's waiting time has passed."""

    name = "claim_eligible"

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return claims.become_eligible(recoveries.find(view, self.recovery_id), now)


class LossDue(Timer, frozen=True):
    """A parcel was not scanned for a long time."""

    name = "loss"
    carrier: str
    number: str
    epoch: int

    @property
    def stream(self) -> str:
        return parcels.stream(self.carrier, self.number)

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        after_days = policy_at(policies.find(view), now).suspected_lost_after_days
        return parcels.suspect_loss(parcels.find(view, self.carrier, self.number), self.epoch, after_days, now)


class _OfStock(Timer, frozen=True):
    supplier_id: str
    sku: str

    @property
    def stream(self) -> str:
        return stock.stream(self.supplier_id, self.sku)


class ReservationDue(_OfStock, frozen=True):
    """A hold on stock ran out."""

    name = "reservation"
    reservation_id: str

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        own = stock.find(view, self.supplier_id, self.sku)
        return stock.expire(own, self.supplier_id, self.sku, self.reservation_id, now)


class FeedDue(_OfStock, frozen=True):
    """No newer feed came in time."""

    name = "feed"

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        own = stock.find(view, self.supplier_id, self.sku)
        stale_at = own.stale_at if own else None
        return stock.go_stale(own, self.supplier_id, self.sku, stale_at, policy_at(policies.find(view), now), now)


class ListingDue(_OfStock, frozen=True):
    """A SKU is on sale that nobody has, or delisted although somebody has it; each occasion counts once."""

    name = "listing"
    occasion: str

    @property
    def stream(self) -> str:
        return skus.stream(self.sku)

    def notice(self, view: View, now: datetime) -> list[Change]:
        return listings.reconsider(view, self.supplier_id, self.sku, now)


class _OfOrder(Timer, frozen=True):
    order_id: str

    @property
    def stream(self) -> str:
        return orders.stream(self.order_id)


class ReturnWindowDue(_OfOrder, frozen=True):
    name = "return_window"

    def facts(self, view: View, now: datetime) -> Iterable[Fact]:
        return orders.complete(orders.find(view, self.order_id), now)


class WaitingDue(_OfOrder, frozen=True):
    """Stock that an order waits for is available; each occasion counts once."""

    name = "waiting"
    occasion: str

    def notice(self, view: View, now: datetime) -> list[Change]:
        return confirmation.serve_waiting(view, self.order_id, now)


class RetentionDue(_OfOrder, frozen=True):
    """Something of the customer has been kept for as long as the policy says."""

    name = "retention"

    def notice(self, view: View, now: datetime) -> list[Change]:
        return retention.expire(view, self.order_id, now)


class SupplierContactDue(Timer, frozen=True):
    """The contact of a retired supplier has been kept for as long as the policy says."""

    name = "supplier_contact"
    supplier_id: str

    @property
    def stream(self) -> str:
        return suppliers.stream(self.supplier_id)

    def notice(self, view: View, now: datetime) -> list[Change]:
        return retention.expire_contact(view, self.supplier_id, now)


class DraftDue(_OfSupplierOrder, frozen=True):
    """The policy has the ledger send a draft."""

    name = "draft"

    def notice(self, view: View, now: datetime) -> list[Change]:
        return dispatch.send_by_policy(view, self.object_id, now)


class RerouteDue(_OfSupplierOrder, frozen=True):
    """A supplier is so late that another one is to send the units."""

    name = "reroute"
    clock: Clock

    def notice(self, view: View, now: datetime) -> list[Change]:
        return rerouting.reroute_overdue(view, self.order_id, self.object_id, self.clock, now)


class ReshipDue(_OfCase, frozen=True):
    """No unit of a reship is under way any more."""

    name = "reship"

    def notice(self, view: View, now: datetime) -> list[Change]:
        return after_sales.follow_reship(view, self.case_id, now)


def timer(name: str, names: Sequence[str], due: datetime) -> Timer:
    """The timer that a read model names, with its fields as texts."""
    return convert([*names, due], TIMERS[name], strict=False)


# --- rates ----------------------------------------------------------------------------------------


def notice_rates(view: View, supplier_id: str, rates: Sequence[Rate], now: datetime) -> list[Change]:
    """Notice rates that crossed their targets, as a read model saw them; otherwise record nothing."""
    supplier, policy = suppliers.find(view, supplier_id), policy_at(policies.find(view), now)
    return changes_of(suppliers.stream(supplier_id), suppliers.notice_rates(supplier, rates, policy, now))
