"""Why stock cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ledger.refusals import AlreadyExists, Forbidden, NotFound, numbered


class OutOfStock(Forbidden, reason="OUT_OF_STOCK"):
    """Fewer units are available than were asked for; details name each supplier, SKU and the units, numbered from 1."""

    says = "out of stock: {lacking}"
    lacking: Sequence[tuple[str, str, int, int]]

    def sentence(self) -> str:
        lacking = (
            f"{sku} of {supplier_id}: {asked} asked, {available} available"
            for supplier_id, sku, asked, available in self.lacking
        )
        return self.says.format(lacking="; ".join(lacking))

    def figures(self) -> Mapping[str, object]:
        names = ("supplier_id", "sku", "asked", "available")
        return numbered(dict(zip(names, each, strict=True)) for each in self.lacking)


class ReservationExists(AlreadyExists, reason="RESERVATION_EXISTS"):
    says = "reservation {reservation_id} holds {units} units already"
    reservation_id: str
    units: int


class UnknownReservation(NotFound, reason="UNKNOWN_RESERVATION"):
    says = "there is no live reservation {reservation_id}; it was consumed, released, expired or never made"
    reservation_id: str


class ReservationTooSmall(Forbidden, reason="RESERVATION_TOO_SMALL"):
    says = "reservation {reservation_id} has {units} units, {asked} asked"
    reservation_id: str
    asked: int
    units: int


class HoldExpired(Forbidden, reason="HOLD_EXPIRED"):
    says = "reservation {reservation_id} ran out at {expires_at}; take a new one"
    reservation_id: str
    expires_at: datetime


class AlreadyExtended(Forbidden, reason="ALREADY_EXTENDED"):
    says = "reservation {reservation_id} was extended once already"
    reservation_id: str


class NotLonger(Forbidden, reason="NOT_LONGER"):
    says = "reservation {reservation_id} lasts until {expires_at} already"
    reservation_id: str
    expires_at: datetime


class ReservationIsCommitted(Forbidden, reason="RESERVATION_IS_COMMITTED"):
    says = "reservation {reservation_id} belongs to a confirmed order; cancel the order's units instead"
    reservation_id: str
