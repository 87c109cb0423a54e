"""Stock that is held: followed by what a page names, for a hot SKU has too many reservations to fold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.facts import Fact
from ledger.nouns import stock
from ledger.nouns.stock import (
    ReservationCommitted,
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    StockReserved,
)
from projections.machine.streams import Page
from projections.machine.tables import Rows, Written, columns
from projections.obligations.rows import HOLDS, StockHold


class _Holds:
    """What a page changes of the stock that is held.

    A hot SKU has too many reservations to fold its stream for a page, so only the reservations that
    the page names are followed: new ones as a whole, others by the units that were taken off.
    """

    def __init__(self) -> None:
        self._whole: dict[tuple[str, str, str], tuple[int, datetime] | None] = {}
        """Those that the page made, None once they are gone; and all that it saw committed."""
        self._taken: dict[tuple[str, str, str], int] = {}
        self._extended: dict[tuple[str, str, str], datetime] = {}

    def follow(self, fact: Fact) -> None:
        match fact:
            case StockReserved():
                self._whole[fact.supplier_id, fact.sku, fact.reservation_id] = (fact.units, fact.expires_at)
            case ReservationExtended():
                self._extend((fact.supplier_id, fact.sku, fact.reservation_id), fact.expires_at)
            case ReservationCommitted():
                self._whole[fact.supplier_id, fact.sku, fact.reservation_id] = None
            case ReservationConsumed() | ReservationReleased() | ReservationExpired():
                self._take((fact.supplier_id, fact.sku, fact.reservation_id), fact.units)
            case _:
                pass

    def _extend(self, key: tuple[str, str, str], expires_at: datetime) -> None:
        if key not in self._whole:
            self._extended[key] = expires_at
        elif (hold := self._whole[key]) is not None:
            self._whole[key] = (hold[0], expires_at)

    def _take(self, key: tuple[str, str, str], units: int) -> None:
        if key not in self._whole:
            self._taken[key] = self._taken.get(key, 0) + units
        elif (hold := self._whole[key]) is not None:
            self._whole[key] = (hold[0] - units, hold[1]) if hold[0] > units else None

    @property
    def is_empty(self) -> bool:
        return not (self._taken or self._extended or self._whole)

    def write(self, cursor: Cursor[Any], schema: str, suffix: str) -> None:
        table = Identifier(schema, HOLDS.name + suffix)
        parts = dict.fromkeys((*self._taken, *self._extended))
        if parts:
            keys = columns(parts)
            units = [self._taken.get(key, 0) for key in parts]
            until = [self._extended.get(key) for key in parts]
            statement = SQL(cast("Any", _TAKE)).format(table=table)
            cursor.execute(statement, [*keys, units, until], prepare=True)
        rows = Rows(HOLDS)
        for key, hold in self._whole.items():
            if hold is None:
                rows.gone.append(key)
            else:
                rows.changed.append(StockHold(*key, *hold))
        rows.write(cursor, schema, suffix)


_TAKE = """
    WITH part AS (
        SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::int8[], %b::timestamptz[])
            AS part (supplier_id, sku, reservation_id, taken, expires_at)
    ), gone AS (
        DELETE FROM {table} AS hold USING part
        WHERE (hold.supplier_id, hold.sku, hold.reservation_id) = (part.supplier_id, part.sku, part.reservation_id)
            AND hold.units <= part.taken
    )
    UPDATE {table} AS hold
    SET units = hold.units - part.taken, expires_at = coalesce(part.expires_at, hold.expires_at)
    FROM part
    WHERE (hold.supplier_id, hold.sku, hold.reservation_id) = (part.supplier_id, part.sku, part.reservation_id)
        AND hold.units > part.taken
"""


def holds(page: Page) -> list[Written]:
    holds = _Holds()
    for _, fact, _ in page.facts.get(stock.NOUN.prefix, ()):
        holds.follow(fact)
    return [holds]
