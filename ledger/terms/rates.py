"""Rates: the figures of a supplier's scorecard, their targets, and the score that they give (DOMAIN 7)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from ledger.facts import Value
from ledger.terms.money import round_half_up


class RateName(StrEnum):
    """Every figure of a scorecard."""

    ON_TIME_DISPATCH = "on_time_dispatch"
    ORDER_ERROR = "order_error"
    ACKNOWLEDGEMENT = "acknowledgement"
    RESPONSE = "response"
    RESOLUTION = "resolution"
    LATE_SHIPMENT_10_DAYS = "late_shipment_10_days"
    LATE_SHIPMENT_30_DAYS = "late_shipment_30_days"
    ORDER_DEFECT = "order_defect"
    CANCELLATION = "cancellation"
    VALID_TRACKING = "valid_tracking"
    ON_TIME_DELIVERY = "on_time_delivery"
    AFTER_SALE = "after_sale"
    SATISFACTION = "satisfaction"


WINDOW_DAYS = {
    RateName.ON_TIME_DISPATCH: 90,
    RateName.ORDER_ERROR: 90,
    RateName.ACKNOWLEDGEMENT: 90,
    RateName.RESPONSE: 90,
    RateName.RESOLUTION: 90,
    RateName.LATE_SHIPMENT_10_DAYS: 10,
    RateName.LATE_SHIPMENT_30_DAYS: 30,
    RateName.ORDER_DEFECT: 60,
    RateName.CANCELLATION: 7,
    RateName.VALID_TRACKING: 30,
    RateName.ON_TIME_DELIVERY: 30,
    RateName.AFTER_SALE: 90,
    RateName.SATISFACTION: 90,
}
"""How far back each rate looks, unless another window is asked for."""

_AT_MOST = frozenset(
    {
        RateName.ORDER_ERROR,
        RateName.LATE_SHIPMENT_10_DAYS,
        RateName.LATE_SHIPMENT_30_DAYS,
        RateName.ORDER_DEFECT,
        RateName.CANCELLATION,
    }
)
"""Rates that count what is not wanted; their target is a maximum."""

_STRICTLY = _AT_MOST - {RateName.ORDER_ERROR} | {RateName.VALID_TRACKING}
"""Rates for which a value equal to the target is a breach."""


class RateStatus(StrEnum):
    """Whether a rate keeps its target; NO_DATA where nothing was counted, REPORT_ONLY where there is no target."""

    OK = "ok"
    BREACH = "breach"
    NO_DATA = "no_data"
    REPORT_ONLY = "report_only"


def is_at_most(name: RateName) -> bool:
    """Whether the rate's target is a maximum; otherwise it is a minimum."""
    return name in _AT_MOST


def is_strict(name: RateName) -> bool:
    """Whether a value equal to the target is a breach: it must be less than 4 %, or more than 95 %."""
    return name in _STRICTLY


def statuses(
    name: RateName, targets_basis_points: Iterable[int | None], figures: Iterable[tuple[int, int]]
) -> list[RateStatus]:
    """The status of each figure (numerator, denominator) against its target."""
    sign, least = -1 if name in _AT_MOST else 1, 1 if name in _STRICTLY else 0
    # One expression for speed: a ranking of ten thousand suppliers needs a hundred thousand of them.
    ok, breach, no_data, report_only = RateStatus
    return [
        no_data
        if not of
        else report_only
        if target is None
        else ok
        if sign * (part * 10_000 - target * of) >= least
        else breach
        for target, (part, of) in zip(targets_basis_points, figures, strict=False)
    ]


class Rate(Value, frozen=True):
    """One figure of a scorecard; the window is [since, until)."""

    name: RateName
    numerator: int
    denominator: int
    since: datetime
    until: datetime
    target_basis_points: int | None = None
    """None where the figure is only reported."""

    @property
    def status(self) -> RateStatus:
        (found,) = statuses(self.name, (self.target_basis_points,), ((self.numerator, self.denominator),))
        return found

    def breaches(self, least_cases: int) -> bool:
        """Whether it misses its target over enough cases to mean something."""
        return self.denominator >= least_cases and self.status is RateStatus.BREACH

    def keeps(self, least_cases: int) -> bool:
        """Whether it keeps its target over enough cases to mean something, or has none any more."""
        return self.denominator >= least_cases and self.status in (RateStatus.OK, RateStatus.REPORT_ONLY)


class Targets(Value, frozen=True):
    """What each rate should be, in basis points: 9500 is 95 %; the defaults are those of the trade."""

    on_time_dispatch: int = 9_500
    order_error: int = 200
    acknowledgement: int | None = 9_500
    """Where the supplier's agreement names none, as for the next one: the trade has none (TRADE_TARGETS). A policy from
    before that was so stored nothing where it meant 95 %."""
    response: int | None = 9_500
    late_shipment: int = 400
    order_defect: int = 100
    cancellation: int = 250
    valid_tracking: int = 9_500
    on_time_delivery: int = 9_000

    def of(self, name: RateName) -> int | None:
        """The target of a rate; None where it is only reported."""
        if name in (RateName.LATE_SHIPMENT_10_DAYS, RateName.LATE_SHIPMENT_30_DAYS):
            return self.late_shipment
        return getattr(self, name.value, None)


TRADE_TARGETS = Targets(acknowledgement=None, response=None)
"""Agreements alone say how many acknowledgements and answers are to be in time."""


class Weights(Value, frozen=True):
    """How much each rate counts in a score; rates not named here do not count."""

    on_time_dispatch: int = 20
    order_error: int = 15
    acknowledgement: int = 5
    response: int = 5
    late_shipment_30_days: int = 10
    order_defect: int = 15
    cancellation: int = 10
    valid_tracking: int = 10
    on_time_delivery: int = 10
    resolution: int = 0
    """Of a policy from before it could count; the trade's is in TRADE_WEIGHTS."""

    def of(self, name: RateName) -> int:
        return int(getattr(self, name.value, 0))


TRADE_WEIGHTS = Weights(resolution=5)
"""Every rate that has a target counts; of the late shipments those over 30 days."""


def score(rates: Iterable[Rate], weights: Weights) -> int | None:
    """The weighted mean, in basis points, of how close each rate is to its target; None without data.

    A rate that keeps its target counts 10,000. Otherwise it counts rate / target if it should be higher, and
    target / rate if it should be lower.
    """
    points = total = 0
    for rate in rates:
        weight, closeness = weights.of(rate.name), _closeness(rate)
        if closeness is not None:
            points += weight * closeness
            total += weight
    return round_half_up(points, total) if total else None


def _closeness(rate: Rate) -> int | None:
    if rate.target_basis_points is None or not rate.denominator:
        return None
    reached, wanted = rate.numerator * 10_000, rate.target_basis_points * rate.denominator
    if rate.name in _AT_MOST:
        reached, wanted = wanted, reached
    return 10_000 if reached >= wanted else round_half_up(reached * 10_000, wanted)
