"""Shipping services: what the retailer may have its goods sent with, and which of them an order takes (DOMAIN 4).

The table is agreed data, a part of the retailer's policy. Costs serve to compare services; what a carrier
really charges stands on its bill.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from operator import itemgetter

from ledger.facts import Value
from ledger.terms.money import MOST_MINOR, Money, round_half_up


class Priority(StrEnum):
    """How fast the customer was told that it goes out; picks the dispatch clock."""

    STANDARD = "standard"
    EXPRESS = "express"


class Incoterm(StrEnum):
    """Who pays the duty when goods cross a border."""

    DDP = "ddp"
    """Delivered, duty paid: the seller."""
    DAP = "dap"
    """Delivered at place: the buyer, who was told so. DDU is its old name."""


GRAMS_PER_KG = 1000


class ShippingService(Value, frozen=True):
    """One row of the table: who carries, where, how fast, for how much, and what it does not take."""

    code: str
    """Its name in the table, such as ``international_line``."""
    carriers: tuple[str, ...]
    """Who offers it; any of them may carry."""
    international: bool
    """Whether it goes to other countries; one that does not stays within one."""
    days_from: int
    days_to: int
    """Transit in days, from handing over to the door."""
    cost: Money
    """For any weight."""
    cost_per_kg_minor: int = 0
    """For each kilogram beside it, by the gram."""
    tracked: bool = True
    most_weight_grams: int = 0
    """The most it takes of one supplier order; 0 means no limit."""
    most_value: tuple[Money, ...] = ()
    """The most that the goods may be worth, one amount for a currency; none means no limit."""
    origins: tuple[str, ...] = ()
    """Countries it collects in; none named means all."""
    destinations: tuple[str, ...] = ()
    """Countries it delivers to; none named means all."""

    def price_minor(self, weight_grams: int) -> int:
        """What so much weight costs; of an unknown weight (0) only the part that any weight costs."""
        price = self.cost.amount_minor + round_half_up(self.cost_per_kg_minor * weight_grams, GRAMS_PER_KG)
        return min(price, MOST_MINOR)

    def goes(self, origin: str, destination: str) -> bool:
        """Whether it collects and delivers there."""
        return (
            self.international is (origin != destination)
            and (not self.origins or origin in self.origins)
            and (not self.destinations or destination in self.destinations)
        )

    def obstacle(self, wanted: Consignment) -> str:
        """Why it does not take a consignment that is on its way; empty if it does."""
        if self.most_weight_grams and wanted.weight_grams > self.most_weight_grams:
            return f"takes {self.most_weight_grams} g, not {wanted.weight_grams} g"
        for most in self.most_value:
            if most.currency == wanted.value.currency:
                dear = wanted.value.amount_minor > most.amount_minor
                return f"takes goods worth {most}, not {wanted.value}" if dear else ""
        return f"has no limit of value in {wanted.value.currency} to compare with" if self.most_value else ""


_CHEAP = (Money(15_000, "EUR"), Money(13_500, "GBP"), Money(15_000, "USD"), Money(110_000, "CNY"))
"""Small packets carry no insurance: goods worth more than low-value consignments go by a line."""

DEFAULT_SERVICES = (
    ShippingService("domestic_economy", ("zto-express", "yto"), False, 3, 5, Money(800, "CNY"), 200),
    ShippingService("domestic_express", ("sf-express",), False, 1, 2, Money(1800, "CNY"), 600),
    ShippingService(
        "international_light", ("china-post",), True, 14, 28, Money(800, "CNY"), 8000,
        most_weight_grams=2000, most_value=_CHEAP,
    ),
    ShippingService(
        "international_line", ("yanwen", "yunexpress"), True, 7, 14, Money(2000, "CNY"), 9500,
        most_weight_grams=30_000,
    ),
    ShippingService(
        "international_express", ("dhl", "fedex"), True, 3, 5, Money(12_000, "CNY"), 14_000,
        most_weight_grams=70_000,
    ),
)  # fmt: skip
"""The trade's usual services (DOMAIN 4), with list prices of the order that Chinese forwarders ask."""


class Consignment(Value, frozen=True):
    """What has to be sent: between which countries, how fast, how heavy, worth how much."""

    origin: str
    destination: str
    priority: Priority
    value: Money
    weight_grams: int = 0
    """0 while it is not known; then no limit of weight is looked at."""


class Chosen(Value, frozen=True):
    """The service that a supplier order takes, and why; without a code none of the table fits."""

    code: str
    because: str
    carriers: tuple[str, ...] = ()
    days_from: int = 0
    days_to: int = 0
    cost: Money | None = None
    """None while the weight is not known."""


def choose(services: Iterable[ShippingService], wanted: Consignment) -> Chosen:
    """The cheapest service that takes the consignment, for an express order the fastest."""
    express, weight_grams = wanted.priority is Priority.EXPRESS, wanted.weight_grams
    fitting: list[tuple[tuple[int, int], int, ShippingService]] = []
    passed_over = ""
    for service in services:
        if not service.goes(wanted.origin, wanted.destination):
            continue
        if obstacle := service.obstacle(wanted):
            passed_over += f"; {service.code} {obstacle}"
            continue
        # Prices are compared as numbers: a table is priced in one currency.
        price, days = service.price_minor(weight_grams), service.days_to
        fitting.append(((days, price) if express else (price, days), price, service))
    if not fitting:
        return Chosen("", f"no service from {wanted.origin} to {wanted.destination}{passed_over}")
    _, price, best = min(fitting, key=_rank)
    word = "the only one" if len(fitting) == 1 else f"{'fastest' if express else 'cheapest'} of {len(fitting)}"
    known = weight_grams or not best.cost_per_kg_minor
    return Chosen(
        best.code,
        word + passed_over,
        best.carriers,
        best.days_from,
        best.days_to,
        Money(price, best.cost.currency) if known else None,
    )


_rank = itemgetter(0)
