"""SKUs: what they are, who offers them, how they are spelled, and whether anybody has a unit of them (DOMAIN 2, 3).

On which conditions stands with the supplier; a supplier that is retired stays listed and does not qualify.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, assert_never
from unicodedata import normalize

from msgspec.structs import replace

from ledger.facts import Fact, Value
from ledger.view import View, noun


def stream(sku: str) -> str:
    """Who offers the SKU."""
    return f"sku-{sku}"


def find(view: View, sku: str) -> Sku | None:
    found: Sku | None = view.state(stream(sku))
    return found


def folded(sku: str) -> str:
    """The SKU without the difference of capital and small letters; its stream knows how it is spelled."""
    return normalize("NFC", sku.casefold())


CATALOGUE = stream("")
"""No SKU has an empty name: this stream tells whether any SKU has a master, so that orders need not ask for each."""


# --- facts ----------------------------------------------------------------------------------------


class SupplierListed(Fact, frozen=True, tag="sku.supplier_listed"):
    """A supplier offered the SKU for the first time."""

    sku: str
    supplier_id: str
    at: datetime


class BundlePart(Value, frozen=True):
    """So many units of another SKU in each unit of a bundle."""

    sku: str
    units: int
    price_share: int = 1
    """How much of the bundle's price one unit bears, compared with a unit of the other parts."""


class SkuDescribed(Fact, frozen=True, tag="sku.described"):
    """What is known of the SKU itself, or was put right; what is None stays as it was."""

    sku: str
    at: datetime
    title: str | None = None
    hs_code: str | None = None
    origin: str | None = None
    weight_grams: int | None = None
    """Net weight of one unit; 0 if it is not known."""
    parts: tuple[BundlePart, ...] | None = None
    """What it is a bundle of; none makes it no bundle any more."""
    outdated: tuple[str, ...] = ()
    """Fields of which newer news was known already: they are recorded and change nothing."""

    @property
    def named(self) -> dict[str, Any]:
        """What it says, by field."""
        return {name: value for name in Master.__struct_fields__ if (value := getattr(self, name)) is not None}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"newer news of {name.replace('_', ' ')} is known, which stays" for name in self.outdated)


class CatalogueBegun(Fact, frozen=True, tag="sku.catalogue_begun"):
    """The first SKU got a master: from now on orders ask for those of their SKUs."""

    at: datetime


class SkuSpelled(Fact, frozen=True, tag="sku.spelled"):
    """A SKU became known. On the stream of its folded form, where those that differ by case alone meet."""

    sku: str
    at: datetime
    warnings: tuple[str, ...] = ()
    """What is odd about it: the others."""


class SkuDelisted(Fact, frozen=True, tag="sku.delisted"):
    """No qualified supplier can promise a unit any more: take it off sale in every shop."""

    sku: str
    against: dict[str, str]
    """Why not, by supplier."""
    at: datetime


class SkuRelisted(Fact, frozen=True, tag="sku.relisted"):
    """It was delisted, and a qualified supplier can promise units again: put it back on sale."""

    sku: str
    supplier_id: str
    available: int
    at: datetime


SkuFact = SupplierListed | SkuDescribed | CatalogueBegun | SkuSpelled | SkuDelisted | SkuRelisted

# --- state ----------------------------------------------------------------------------------------


class Master(Value, frozen=True):
    """What a SKU is, whoever offers it; empty or zero is not known."""

    title: str = ""
    hs_code: str = ""
    origin: str = ""
    weight_grams: int = 0
    parts: tuple[BundlePart, ...] = ()


class Sku(Value, frozen=True):
    """A SKU, folded from its facts."""

    suppliers: tuple[str, ...] = ()
    """Who offers it, the first listed first."""
    spellings: tuple[str, ...] = ()
    """Known SKUs that differ by case alone, if this is their folded form."""
    listing: Listing | None = None
    """Whether it is on sale; None before it was ever delisted."""
    master: Master | None = None
    as_of: Mapping[str, datetime] = {}
    """When the newest news of the master was, by field."""


class Listing(Value, frozen=True):
    """Since when a SKU is delisted, or on sale again."""

    sku: str
    delisted: bool
    since: datetime
    crossings: int
    against: dict[str, str] = {}


def evolve(sku: Sku | None, fact: SkuFact) -> Sku:
    sku = sku or Sku()
    match fact:
        case SupplierListed(supplier_id=supplier_id):
            spellings = _spelled(sku, fact.sku) if fact.sku == folded(fact.sku) else sku.spellings
            return replace(sku, suppliers=(*sku.suppliers, supplier_id), spellings=spellings)
        case SkuSpelled():
            return replace(sku, spellings=_spelled(sku, fact.sku))
        case SkuDelisted(against=against):
            return replace(sku, listing=_crossed(sku, fact, against))
        case SkuRelisted():
            return replace(sku, listing=_crossed(sku, fact, None))
        case SkuDescribed():
            news = {name: value for name, value in fact.named.items() if name not in fact.outdated}
            as_of = {**sku.as_of, **dict.fromkeys(news, fact.at)}
            return replace(sku, master=replace(sku.master or Master(), **news), as_of=as_of)
        case CatalogueBegun():
            return sku
        case _:
            assert_never(fact)


def _spelled(sku: Sku, spelling: str) -> tuple[str, ...]:
    return sku.spellings if spelling in sku.spellings else (*sku.spellings, spelling)


def _crossed(sku: Sku, fact: SkuDelisted | SkuRelisted, against: dict[str, str] | None) -> Listing:
    crossings = sku.listing.crossings if sku.listing else 0
    return Listing(fact.sku, against is not None, fact.at, crossings + 1, against or {})


NOUN = noun("sku", SkuFact, evolve, kept_as=Sku)


# --- decisions ------------------------------------------------------------------------------------


def list_supplier(present: Sku | None, sku: str, supplier_id: str, at: datetime) -> Sequence[SkuFact]:
    """The supplier offers the SKU. One that is listed is not listed again."""
    if present is not None and supplier_id in present.suppliers:
        return []
    return [SupplierListed(sku, supplier_id, at)]


def oddities(home: Sku | None, sku: str) -> tuple[str, ...]:
    """What is odd about a SKU that is not known: others are, and differ by case alone; home is of its folded form."""
    others = home.spellings if home is not None else ()
    if not others or sku in others:
        return ()
    return (f"{sku} is taken for another SKU than {', '.join(others)}: only upper and lower case differ",)


def spell(home: Sku | None, sku: str, at: datetime, *, listed: bool = False) -> Sequence[SkuFact]:
    """The SKU is known from now on. A known one records nothing, nor one that is listed under its folded form."""
    if home is not None and sku in home.spellings:
        return []
    warnings = oddities(home, sku)
    return [] if listed and sku == folded(sku) and not warnings else [SkuSpelled(sku, at, warnings)]


def delist(present: Sku | None, sku: str, against: Mapping[str, str], at: datetime) -> Sequence[SkuFact]:
    """Nobody can promise a unit. Delisting twice records nothing."""
    is_delisted = present is not None and present.listing is not None and present.listing.delisted
    return [] if is_delisted else [SkuDelisted(sku, dict(against), at)]


def relist(present: Sku | None, sku: str, supplier_id: str, available: int, at: datetime) -> Sequence[SkuFact]:
    """A supplier can promise units. What is not delisted records nothing."""
    is_delisted = present is not None and present.listing is not None and present.listing.delisted
    return [SkuRelisted(sku, supplier_id, available, at)] if is_delisted else []


def describe(present: Sku | None, described: SkuDescribed) -> Sequence[SkuDescribed]:
    """What the SKU is. Nothing new records nothing; of each field the newest news by its time counts."""
    sku = present or Sku()
    master = sku.master or Master()
    if sku.master is not None and all(getattr(master, name) == value for name, value in described.named.items()):
        return []
    outdated = tuple(name for name in described.named if name in sku.as_of and described.at < sku.as_of[name])
    return [replace(described, outdated=outdated)]
