"""The SKU master: what orders draw on it for, and bundles that are exploded into their parts (DOMAIN 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

from msgspec.structs import replace

from ledger.decisions import spelling
from ledger.facts import Change, LineNo, changes_of
from ledger.nouns import skus
from ledger.nouns.orders import CustomsDataCompleted, CustomsLine, Line, Order, PartOf
from ledger.nouns.skus import CatalogueBegun, Master, SkuDescribed
from ledger.refusals import Forbidden
from ledger.terms.money import share
from ledger.view import View

# --- refusals -------------------------------------------------------------------------------------


class BundleInItself(Forbidden, reason="BUNDLE_IN_ITSELF"):
    says = "{sku} cannot be a part of {part}, which is a part of {sku}"
    sku: str
    part: str


# --- the master -----------------------------------------------------------------------------------


def describe_sku(view: View, described: SkuDescribed) -> list[Change]:
    """What a SKU is. Nothing new records nothing."""
    stream = skus.stream(described.sku)
    view.need(stream, skus.CATALOGUE, skus.stream(skus.folded(described.sku)))
    for part in described.parts or ():
        if described.sku in _contained(view, part.sku):
            raise BundleInItself(described.sku, part.sku)
    known = skus.find(view, described.sku)
    facts = changes_of(stream, skus.describe(known, described))
    if facts and (known is None or known.master is None):
        facts += spelling.spell(view, described.sku, described.at)
    if facts and view.state(skus.CATALOGUE) is None:
        facts.append((skus.CATALOGUE, CatalogueBegun(described.at)))
    return facts


def _contained(view: View, sku: str) -> set[str]:
    """The SKU and all that it is made of; no bundle is in itself, so there is an end."""
    master = _master_of(view, sku)
    return {sku}.union(*(_contained(view, part.sku) for part in master.parts)) if master is not None else {sku}


def _master_of(view: View, sku: str) -> Master | None:
    found = skus.find(view, sku)
    return found.master if found is not None else None


# --- lines ----------------------------------------------------------------------------------------

MOST_LINES = 1000
"""A bundle whose parts would make more of an order stays whole, and waits for a person."""


def drawn(view: View, lines: tuple[Line, ...], present: Mapping[LineNo, Line] = {}) -> tuple[Line, ...]:
    """The lines with what the SKU master knows and the shop left out, and bundles as their parts.

    present are those that the order has already: a bundle that is told again has the numbers that it had.
    """
    if view.state(skus.CATALOGUE) is None:
        return lines
    view.need(*(skus.stream(line.sku) for line in lines if line.sku))
    told = {line.line_no for line in lines}
    taken = told | {n for n, line in present.items() if line.part_of is None or line.part_of.line_no not in told}
    made: list[Line] = []
    before = _parts_before(present.values())
    for line in lines:
        master = _master_of(view, line.sku) if line.sku else None
        whole = line.line_no in present and present[line.line_no].part_of is None
        if (parts := before.get((line.line_no, line.sku))) and line.quantity and not whole:
            made += _as_before(line, parts)
        elif master is None:
            made.append(line)
        elif master.parts and line.quantity:
            made += _exploded(view, line, master, taken)
        else:
            made.append(_with_master(line, master))
    return tuple(made) if len(made) <= max(MOST_LINES, len(lines)) else lines


def _parts_before(present: Iterable[Line]) -> Mapping[tuple[LineNo, str], Sequence[Line]]:
    """What bundles were exploded into, by their lines and SKUs: they stay that, whatever the bundles are by now."""
    parts: defaultdict[tuple[LineNo, str], list[Line]] = defaultdict(list)
    for each in present:
        if each.part_of is not None:
            parts[each.part_of.line_no, each.part_of.sku].append(each)
    return parts


def _as_before(line: Line, parts: Sequence[Line]) -> Iterator[Line]:
    """The same parts, among which the price is shared as it was."""
    costs = [part.amount_minor for part in parts]
    weights = costs if any(costs) else [part.quantity * part.unit_price_minor or part.quantity for part in parts]
    declared, first = line.declared_value_minor * line.quantity, 0
    for part, weight in zip(parts, weights, strict=True):
        quantity = line.quantity * part.part_of.units if part.part_of else line.quantity
        price, worth = (share(amount, sum(weights), first, weight) for amount in (line.amount_minor, declared))
        first += weight
        yield _priced(replace(part, quantity=quantity, given_up=0), price, worth)


def _priced(line: Line, price_minor: int, declared_minor: int) -> Line:
    """A line that costs so much in all."""
    return replace(
        line,
        unit_price_minor=price_minor // line.quantity,
        total_minor=price_minor if price_minor % line.quantity else None,
        declared_value_minor=declared_minor // line.quantity,
    )


def _with_master(line: Line, master: Master) -> Line:
    """What the shop says takes precedence."""
    return replace(
        line,
        title=line.title or master.title,
        hs_code=line.hs_code or master.hs_code,
        origin=line.origin or master.origin,
        weight_grams=line.weight_grams or master.weight_grams,
    )


def _exploded(view: View, line: Line, master: Master, taken: set[LineNo]) -> list[Line]:
    """The parts of a bundle's line, each under a number of its own; a part may be a bundle too."""
    parts = _parts(view, line, master, PartOf(line.line_no, line.sku, 1))
    numbers = _numbers(line.line_no, taken)
    return [replace(part, line_no=next(numbers)) for part in parts]


def _parts(view: View, line: Line, master: Master, part_of: PartOf) -> Iterator[Line]:
    """What the bundle costs, and is declared for, is shared among its parts to the last minor unit."""
    shares = [part.units * part.price_share for part in master.parts]
    declared = line.declared_value_minor * line.quantity
    first = 0
    for part, weight in zip(master.parts, shares, strict=True):
        quantity = line.quantity * part.units
        price, worth = (share(amount, sum(shares), first, weight) for amount in (line.amount_minor, declared))
        first += weight
        whole = replace(part_of, units=part_of.units * part.units)
        bare = Line(line.line_no, part.sku, quantity, 0, supplier_id=line.supplier_id, dispatch_by=line.dispatch_by)
        bare = replace(bare, part_of=whole, channel_line_id=line.channel_line_id)
        made = _priced(bare, price, worth)
        known = _master_of(view, part.sku)
        if known is None:
            yield made
        elif known.parts:
            yield from _parts(view, made, known, whole)
        else:
            yield _with_master(made, known)


def _numbers(line_no: LineNo, taken: set[LineNo]) -> Iterator[LineNo]:
    """Numbers that no line has: of line 2 those from 201 on, so that the same order gives them again."""
    own: Iterable[int] = range(line_no * 100 + 1, line_no * 100 + 100) if line_no < 10_000 else ()
    for number in map(LineNo, chain(own, range(999_999, 0, -1))):
        if number not in taken:
            taken.add(number)
            yield number


# --- customs --------------------------------------------------------------------------------------


def customs_data(view: View, order: Order, at: datetime) -> list[CustomsDataCompleted]:
    """What the master knows by now and the lines of an order lack."""
    if view.state(skus.CATALOGUE) is None:
        return []
    view.need(*(skus.stream(line.sku) for line in order.lines.values() if line.sku))
    found = []
    for line_no, line in order.lines.items():
        known = _with_master(line, master) if line.sku and (master := _master_of(view, line.sku)) else line
        if known != line:
            found.append(CustomsLine(line_no, known.title, known.hs_code, known.origin, known.weight_grams))
    return [CustomsDataCompleted(order.order_id, at, tuple(found))] if found else []
