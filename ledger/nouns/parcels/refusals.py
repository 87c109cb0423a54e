"""Why a parcel cannot do what is asked of it."""

from __future__ import annotations

from datetime import datetime

from ledger.facts import to_minute
from ledger.nouns.parcels.facts import ParcelStatus
from ledger.nouns.parcels.state import Parcel
from ledger.refusals import AlreadyExists, Forbidden, NotFound


class UnknownParcel(NotFound):
    def __init__(self, carrier: str, number: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is not registered; use ParcelService.RegisterParcel",
            carrier=carrier,
            number=number,
        )


class ParcelOfAnotherOrder(AlreadyExists):
    def __init__(self, carrier: str, number: str, order_id: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is under way for {order_id} already; name all its units when it leaves",
            carrier=carrier,
            number=number,
            order_id=order_id,
        )


class AlreadyDelivered(Forbidden):
    def __init__(self, carrier: str, number: str, at: datetime) -> None:
        super().__init__(
            f"parcel {number} of {carrier} was delivered {to_minute(at)}; dispute the delivery first with "
            "ParcelService.DisputeDelivery",
            carrier=carrier,
            number=number,
            delivered_at=at.isoformat(),
        )


class ParcelReturned(Forbidden):
    def __init__(self, carrier: str, number: str) -> None:
        super().__init__(
            f"parcel {number} of {carrier} came back to its sender, so nobody received or lost it; record a scan that "
            "tells where it went with ParcelService.RecordCheckpoints if it did not",
            carrier=carrier,
            number=number,
        )


class NotDelivered(Forbidden):
    def __init__(self, carrier: str, number: str, status: ParcelStatus) -> None:
        super().__init__(
            f"parcel {number} of {carrier} is {status}, not delivered", carrier=carrier, number=number, status=status
        )


class DisputedTooEarly(Forbidden):
    def __init__(self, carrier: str, number: str, at: datetime, delivered_at: datetime) -> None:
        super().__init__(
            f"parcel {number} of {carrier} was delivered {to_minute(delivered_at)}, which nobody can have denied "
            f"{to_minute(at)}; give the time at which it was",
            carrier=carrier,
            number=number,
            at=at.isoformat(),
            delivered_at=delivered_at.isoformat(),
        )


def known(parcel: Parcel | None, carrier: str, number: str) -> Parcel:
    if parcel is None:
        raise UnknownParcel(carrier, number)
    return parcel
