"""What is behind a rate: everything that it counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.terms.rates import RateName
from projections.machine.reads import FIRST, Answer, PageOf, Where, snapshot
from projections.supplier_performance.counts import COUNTS, Whose, counted_in
from projections.supplier_performance.projection import SUPPLIER_PERFORMANCE
from projections.supplier_performance.windows import MOMENT, Window


class CountedCase(NamedTuple):
    """A supplier order, parcel, order or review that a rate counted."""

    object_id: str
    """A parcel is ``carrier/number/epoch``, a review ``order/review``."""
    order_id: str
    at: datetime
    """The instant that puts it into the window: its deadline, registration, settling or placing."""
    happened_at: datetime | None
    in_numerator: bool


_CASES = """
    SELECT {case} AS object_id, order_id, {instant} AS at, {happened} AS happened_at,
        ({numerator})::int > 0 AS in_numerator
    FROM {table}
    WHERE {condition} {instant} >= %(since)s AND {instant} < %(until)s
        AND ({numerator})::int + ({denominator})::int > 0
        AND ({instant}, {case}) > (%(after_at)s, %(after_id)s)
        AND (%(in_numerator)s::bool IS NULL OR (({numerator})::int > 0) = %(in_numerator)s)
"""

_EXTENT = "SELECT min(at), max(at) FROM ({counted}) AS counted"


async def list_cases(
    where: Where,
    page: PageOf,
    name: RateName,
    supplier_id: str,
    window: Window,
    in_numerator: bool | None = None,
) -> Answer[CountedCase]:
    """What is behind a rate: all that it counted, or only what is (or is not) in its numerator."""
    since, until = window.counted(name)
    after_at, after_id = page.after(tuple[datetime, str]) or (FIRST, "")
    parameters = {
        "supplier_id": supplier_id,
        "since": since,
        "until": until,
        "in_numerator": in_numerator,
        "after_at": after_at,
        "after_id": after_id,
        "limit": page.limit,
    }
    counted = " UNION ALL ".join(_cases(name, supplier_id))
    query = f"{counted} ORDER BY at, object_id LIMIT %(limit)s"
    async with snapshot(where, SUPPLIER_PERFORMANCE) as at:
        found = await at.each(query, parameters, CountedCase)
        rows, token = page.cut(found, [(case.at, case.object_id) for case in found])
        if found or page.token:
            return Answer(rows, at.position, token)
        ever = {**parameters, "since": FIRST, "until": window.now + MOMENT}
        return Answer([], at.position, extent=await at.extent(_EXTENT.replace("{counted}", counted), ever))


def _cases(name: RateName, supplier_id: str) -> Iterator[str]:
    """The queries of one rate; only words of this package go into them."""
    for count in COUNTS[counted_in(name)]:
        if supplier_id and count.whose is Whose.ALL:
            continue
        # Rows for all suppliers together name no supplier.
        by_supplier = supplier_id or count.whose is Whose.SUPPLIER
        condition = "supplier_id = %(supplier_id)s AND" if by_supplier else ""
        query = _CASES.replace("{condition}", condition).replace("{table}", f"{{{count.table.name}}}")
        for word in ("case", "instant", "happened", "numerator", "denominator"):
            query = query.replace(f"{{{word}}}", getattr(count, word))
        yield query
