"""The lines of an order as the shop sold them, out of what the ledger knows: a bundle is one line here."""

from __future__ import annotations

from typing import NamedTuple

from fulfilment.v1 import orders_pb2


class KnownLine(NamedTuple):
    """A line of the shop, by the ledger."""

    line_no: int
    line_id: str
    """The shop's own; empty of an order that was placed without."""
    sku: str
    wanted: int
    wanted_minor: int
    gone: int
    """Units that have left, wherever they are."""
    parts: tuple[tuple[int, int], ...]
    """The ledger's own lines of it, and how many units of each are in one of this."""


def known_lines(there: orders_pb2.Order) -> list[KnownLine]:
    """In the order of their numbers."""
    found: dict[int, KnownLine] = {}
    for each in there.lines:
        part = each.part_of if each.HasField("part_of") else None
        number, per = (part.line_no, max(1, part.units)) if part is not None else (each.line.line_no, 1)
        left = each.units.shipped + each.units.delivered + each.units.lost + each.units.returned
        own = KnownLine(
            line_no=number,
            line_id=each.line.channel_line_id,
            sku=part.sku if part is not None else each.line.sku,
            wanted=each.wanted // per,
            wanted_minor=each.wanted_minor,
            gone=-(-left // per),
            parts=((each.line.line_no, per),),
        )
        found[number] = _together(found[number], own) if number in found else own
    return [found[number] for number in sorted(found)]


def _together(one: KnownLine, other: KnownLine) -> KnownLine:
    """Two parts of one bundle."""
    return one._replace(
        line_id=one.line_id or other.line_id,
        wanted=min(one.wanted, other.wanted),
        wanted_minor=one.wanted_minor + other.wanted_minor,
        gone=max(one.gone, other.gone),
        parts=(*one.parts, *other.parts),
    )
