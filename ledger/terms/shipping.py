"""Shipping services: what goods can be sent with, and which service an order takes (DOMAIN 4).

The table is agreed data, a part of the retailer's policy. Costs serve to compare services; what a carrier
really charges is on its bill.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from operator import itemgetter

from ledger.facts import Value
from ledger.terms.money import MOST_MINOR, Money, round_half_up


class Priority(StrEnum):
    """How fast a dispatch the customer was promised; it selects the dispatch clock."""

    STANDARD = "standard"
    EXPRESS = "express"


class Incoterm(StrEnum):
    """Who pays the duty when goods cross a border."""

    DDP = "ddp"
    """Delivered, duty paid: the seller."""
    DAP = "dap"
    """Delivered at place: the buyer, who was told so. DDU is its old name."""


GRAMS_PER_KG = 1000
_ONE = 10_000
"""In basis points."""


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
    """The part that does not depend on the weight."""
    cost_per_kg_minor: int = 0
    """For each kilogram in addition, by the gram."""
    tracked: bool = True
    most_weight_grams: int = 0
    """The most it takes of one supplier order; 0 means no limit."""
    most_value: tuple[Money, ...] = ()
    """The most that the goods may be worth, one amount for a currency; none means no limit."""
    origins: tuple[str, ...] = ()
    """Countries it collects in; none named means all."""
    destinations: tuple[str, ...] = ()
    """Countries it delivers to; none named means all."""
    incoterms: tuple[Incoterm, ...] = ()
    """The terms of duty that it clears goods under; none named means all. One that pays the duty has DDP (双清包税)."""
    held_basis_points: int = 0
    """The share of its parcels over a border that customs held, as it was agreed from the retailer's own history."""

    def price_minor(self, weight_grams: int) -> int:
        """The price for a weight; for an unknown one (0) only the part that does not depend on it."""
        price = self.cost.amount_minor + round_half_up(self.cost_per_kg_minor * weight_grams, GRAMS_PER_KG)
        return min(price, MOST_MINOR)

    def goes(self, origin: str, destination: str) -> bool:
        """Whether it collects and delivers there."""
        return (
            self.international is (origin != destination)
            and (not self.origins or origin in self.origins)
            and (not self.destinations or destination in self.destinations)
        )

    def clears(self, incoterm: Incoterm) -> bool:
        return not self.incoterms or incoterm in self.incoterms

    def obstacle(self, wanted: Consignment) -> str:
        """Why it does not take a consignment; empty if it does."""
        if self.most_weight_grams and wanted.weight_grams > self.most_weight_grams:
            return f"takes {self.most_weight_grams} g, not {wanted.weight_grams} g"
        if wanted.crosses_border and wanted.incoterm is not None and not self.clears(wanted.incoterm):
            return f"does not clear goods under {wanted.incoterm.upper()}"
        for most in self.most_value:
            if most.currency == wanted.value.currency:
                too_valuable = wanted.value.amount_minor > most.amount_minor
                return f"takes goods worth {most}, not {wanted.value}" if too_valuable else ""
        return f"has no limit of value in {wanted.value.currency} to compare with" if self.most_value else ""


_LOW_VALUE = (Money(15_000, "EUR"), Money(13_500, "GBP"), Money(15_000, "USD"), Money(110_000, "CNY"))
"""The most that small packets are for: they carry no insurance, so goods worth more go by a line."""

_CHINA = ("CN",)
"""Where ZTO, YTO, SF, China Post, Yanwen and YunExpress collect."""
_NETWORKS = (
    "AT", "BE", "BG", "CA", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MX", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "US",
)  # fmt: skip
"""Countries within which DHL or UPS carries parcels from door to door."""

DEFAULT_SERVICES = (
    ShippingService("domestic_economy", ("zto-express", "yto"), False, 3, 5, Money(800, "CNY"), 200, origins=_CHINA),
    ShippingService("domestic_express", ("sf-express",), False, 1, 2, Money(1800, "CNY"), 600, origins=_CHINA),
    ShippingService("domestic_parcel", ("dhl", "ups"), False, 2, 5, Money(4000, "CNY"), 800, origins=_NETWORKS),
    ShippingService(
        "international_light", ("china-post",), True, 14, 28, Money(800, "CNY"), 8000,
        most_weight_grams=2000, most_value=_LOW_VALUE, origins=_CHINA,
    ),
    ShippingService(
        "international_line", ("yanwen", "yunexpress"), True, 7, 14, Money(2000, "CNY"), 9500,
        most_weight_grams=30_000, origins=_CHINA,
    ),
    ShippingService(
        "international_express", ("dhl", "fedex"), True, 3, 5, Money(12_000, "CNY"), 14_000,
        most_weight_grams=70_000,
    ),
)  # fmt: skip
"""The trade's usual services (DOMAIN 4), with list prices like those of Chinese forwarders, and those that goods take
from warehouses elsewhere. Each can be bought with the duty paid or not, so none names its terms of duty."""


class Consignment(Value, frozen=True):
    """What has to be sent: between which countries, how fast, how heavy, worth how much."""

    origin: str
    destination: str
    priority: Priority
    value: Money
    weight_grams: int = 0
    """0 while it is not known; then no weight limit is checked."""
    crosses_border: bool = False
    """Whether a customs border lies between; only then the next two count."""
    incoterm: Incoterm | None = None
    """Who pays the duty; None while nobody said."""
    held_costs_minor: int = 0
    """What it costs when customs holds a parcel; 0 does not weigh it."""


class Chosen(Value, frozen=True):
    """The service that a supplier order takes, and why; the code is empty if no service fits."""

    code: str
    because: str
    carriers: tuple[str, ...] = ()
    days_from: int = 0
    days_to: int = 0
    cost: Money | None = None
    """None while the weight is not known."""
    crosses_border: bool = False
    """Whether it was chosen for goods that cross a customs border; not known of what was chosen earlier."""


def choose(services: Iterable[ShippingService], wanted: Consignment) -> Chosen:
    """The cheapest service that takes the consignment, for an express order the fastest."""
    express, weight_grams = wanted.priority is Priority.EXPRESS, wanted.weight_grams
    held_costs = wanted.held_costs_minor if wanted.crosses_border else 0
    fitting: list[tuple[tuple[int, int], int, ShippingService]] = []
    rejected = ""
    for service in services:
        if not service.goes(wanted.origin, wanted.destination):
            continue
        if obstacle := service.obstacle(wanted):
            rejected += f"; {service.code} {obstacle}"
            continue
        # Prices are compared as numbers: a table is priced in one currency.
        price, days = service.price_minor(weight_grams), service.days_to
        weighed = price + round_half_up(service.held_basis_points * held_costs, _ONE) if held_costs else price
        fitting.append(((days, weighed) if express else (weighed, days), price, service))
    if not fitting:
        return Chosen("", f"no service from {wanted.origin} to {wanted.destination}{rejected}")
    _, price, best = min(fitting, key=_rank)
    reason = "the only one" if len(fitting) == 1 else f"{'fastest' if express else 'cheapest'} of {len(fitting)}"
    if held_costs and len(fitting) > 1:
        reason += ", counting what customs holds"
    known = weight_grams or not best.cost_per_kg_minor
    return Chosen(
        best.code,
        reason + rejected,
        best.carriers,
        best.days_from,
        best.days_to,
        Money(price, best.cost.currency) if known else None,
        wanted.crosses_border,
    )


_rank = itemgetter(0)
