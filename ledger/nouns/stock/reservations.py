"""Decisions on who is promised units: reservations, and what becomes of them."""

from __future__ import annotations

from datetime import datetime

from ledger.nouns.stock.facts import (
    ReservationConsumed,
    ReservationExpired,
    ReservationExtended,
    ReservationReleased,
    ReservationRestored,
    StockFact,
    StockReserved,
)
from ledger.nouns.stock.refusals import (
    AlreadyExtended,
    HoldExpired,
    NotLonger,
    OutOfStock,
    ReservationExists,
    ReservationIsCommitted,
    ReservationTooSmall,
    UnknownReservation,
)
from ledger.nouns.stock.state import Reservation, ReservationStatus, Stock


def reserve(
    stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, units: int, expires_at: datetime, at: datetime
) -> list[StockFact]:
    """Hold units. The same hold again records nothing; stock that is not tracked cannot be held."""
    present = stock.reservations.get(reservation_id) if stock else None
    if stock is not None and present is not None:
        if present.status is ReservationStatus.HELD and present.expires_at <= at:
            return _reserve_again(stock, StockReserved(supplier_id, sku, reservation_id, units, expires_at, at))
        if present.units == units:
            return []
        raise ReservationExists(reservation_id, present.units)
    if stock is None or stock.available < units:
        raise OutOfStock([(supplier_id, sku, units, max(stock.available, 0) if stock else 0)])
    return [StockReserved(supplier_id, sku, reservation_id, units, expires_at, at)]


def _reserve_again(stock: Stock, wanted: StockReserved) -> list[StockFact]:
    """A new hold in place of one that ran out before anybody noticed."""
    ran_out = stock.reservations[wanted.reservation_id].units
    item = (wanted.supplier_id, wanted.sku)
    if stock.available + ran_out < wanted.units:
        raise OutOfStock([(*item, wanted.units, max(stock.available + ran_out, 0))])
    return [*expire(stock, *item, wanted.reservation_id, wanted.at), wanted]


def live(stock: Stock | None, reservation_id: str) -> Reservation:
    reservation = stock.reservations.get(reservation_id) if stock else None
    if reservation is None:
        raise UnknownReservation(reservation_id)
    return reservation


def can_commit(stock: Stock, reservation_id: str, units: int, now: datetime) -> bool:
    """Whether the hold still stands for so many units and the newest feed still covers it."""
    reservation = stock.reservations.get(reservation_id)
    if reservation is None or reservation.units != units or stock.feed is None:
        return False
    if reservation.status is ReservationStatus.COMMITTED:
        return True
    return now < reservation.expires_at and stock.committed + units <= stock.feed.quantity + stock.restocked


def freed_by(reservation: Reservation) -> int:
    """Units that can be promised again once the reservation is given back: not those that the feed subtracted."""
    return 0 if reservation.in_feed else reservation.units


def extend(
    stock: Stock | None,
    supplier_id: str,
    sku: str,
    reservation_id: str,
    expires_at: datetime,
    at: datetime,
    now: datetime,
) -> list[StockFact]:
    """Hold longer, once. The same end again records nothing; an expired hold stays expired."""
    reservation = live(stock, reservation_id)
    if reservation.status is ReservationStatus.COMMITTED:
        raise ReservationIsCommitted(reservation_id)
    if reservation.expires_at == expires_at:
        return []
    if reservation.expires_at <= now:
        raise HoldExpired(reservation_id, reservation.expires_at)
    if reservation.extended:
        raise AlreadyExtended(reservation_id)
    if expires_at < reservation.expires_at:
        raise NotLonger(reservation_id, reservation.expires_at)
    return [ReservationExtended(supplier_id, sku, reservation_id, expires_at, at)]


def release_hold(stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, at: datetime) -> list[StockFact]:
    """Give a hold back. A committed reservation is given back only by its order."""
    reservation = live(stock, reservation_id)
    if reservation.status is ReservationStatus.COMMITTED:
        raise ReservationIsCommitted(reservation_id)
    return [ReservationReleased(supplier_id, sku, reservation_id, reservation.units, at)]


def consume(
    stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, units: int, at: datetime
) -> list[StockFact]:
    """Units of a reservation left the warehouse."""
    reservation = live(stock, reservation_id)
    if units > reservation.units:
        raise ReservationTooSmall(reservation_id, units, reservation.units)
    return [ReservationConsumed(supplier_id, sku, reservation_id, units, at)]


def restore(
    stock: Stock | None,
    supplier_id: str,
    sku: str,
    reservation_id: str,
    units: int,
    consumed_at: datetime,
    at: datetime,
) -> list[StockFact]:
    """Units that were consumed had not left. They are promised to their order, whatever was counted since."""
    if stock is None or stock.feed is None or not units:
        return []
    committed_at = next((each.committed_at for each in stock.shipped if each.consumed_at == consumed_at), None)
    return [
        ReservationRestored(
            supplier_id=supplier_id,
            sku=sku,
            reservation_id=reservation_id,
            units=units,
            consumed_at=consumed_at,
            at=at,
            committed_at=committed_at,
        )
    ]


def expire(stock: Stock | None, supplier_id: str, sku: str, reservation_id: str, now: datetime) -> list[StockFact]:
    """Records that a hold expired, if it did."""
    reservation = stock.reservations.get(reservation_id) if stock else None
    if reservation is None or reservation.status is ReservationStatus.COMMITTED or now < reservation.expires_at:
        return []
    return [ReservationExpired(supplier_id, sku, reservation_id, reservation.units, reservation.expires_at)]
