"""Why stock cannot do what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ledger.facts import to_minute
from ledger.refusals import AlreadyExists, Forbidden, NotFound, numbered


class OutOfStock(Forbidden):
    """Fewer units are available than were asked for; details name each supplier, SKU and the units, numbered from 1."""

    def __init__(self, lacking: Sequence[tuple[str, str, int, int]]) -> None:
        self.lacking = tuple(lacking)
        what = "; ".join(
            f"{sku} of {supplier_id}: {asked} asked, {available} available"
            for supplier_id, sku, asked, available in lacking
        )
        super().__init__(
            f"out of stock: {what}",
            **numbered(dict(zip(("supplier_id", "sku", "asked", "available"), each, strict=True)) for each in lacking),
        )


class ReservationExists(AlreadyExists):
    def __init__(self, reservation_id: str, units: int) -> None:
        super().__init__(
            f"reservation {reservation_id} holds {units} units already", reservation_id=reservation_id, units=units
        )


class UnknownReservation(NotFound):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(
            f"there is no live reservation {reservation_id}; it was consumed, released, expired or never made",
            reservation_id=reservation_id,
        )


class ReservationTooSmall(Forbidden):
    def __init__(self, reservation_id: str, asked: int, units: int) -> None:
        super().__init__(
            f"reservation {reservation_id} has {units} units, {asked} asked",
            reservation_id=reservation_id,
            asked=asked,
            units=units,
        )


class HoldExpired(Forbidden):
    def __init__(self, reservation_id: str, expires_at: datetime) -> None:
        super().__init__(
            f"reservation {reservation_id} ran out at {to_minute(expires_at)}; take a new one",
            reservation_id=reservation_id,
            expires_at=expires_at.isoformat(),
        )


class AlreadyExtended(Forbidden):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(f"reservation {reservation_id} was extended once already", reservation_id=reservation_id)


class NotLonger(Forbidden):
    def __init__(self, reservation_id: str, expires_at: datetime) -> None:
        super().__init__(
            f"reservation {reservation_id} lasts until {to_minute(expires_at)} already",
            reservation_id=reservation_id,
            expires_at=expires_at.isoformat(),
        )


class ReservationIsCommitted(Forbidden):
    def __init__(self, reservation_id: str) -> None:
        super().__init__(
            f"reservation {reservation_id} belongs to a confirmed order; cancel the order's units instead",
            reservation_id=reservation_id,
        )
