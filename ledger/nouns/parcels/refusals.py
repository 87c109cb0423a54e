"""Why a parcel cannot do what is asked of it."""

from __future__ import annotations

from datetime import datetime

from ledger.nouns.parcels.facts import ParcelStatus
from ledger.nouns.parcels.state import Parcel
from ledger.refusals import AlreadyExists, Forbidden, NotFound


class UnknownParcel(NotFound, reason="UNKNOWN_PARCEL"):
    says = "parcel {number} of {carrier} is not registered; use ParcelService.RegisterParcel"
    carrier: str
    number: str


class ParcelOfAnotherOrder(AlreadyExists, reason="PARCEL_OF_ANOTHER_ORDER"):
    """Given no more, but stored as the outcome of commands: a parcel takes more units, or its number is used again."""

    says = "parcel {number} of {carrier} is under way for {order_id} already; name all its units when it leaves"
    carrier: str
    number: str
    order_id: str


class AlreadyDelivered(Forbidden, reason="ALREADY_DELIVERED"):
    says = (
        "parcel {number} of {carrier} was delivered {delivered_at}; dispute the delivery first with "
        "ParcelService.DisputeDelivery"
    )
    carrier: str
    number: str
    delivered_at: datetime


class ParcelReturned(Forbidden, reason="PARCEL_RETURNED"):
    says = (
        "parcel {number} of {carrier} came back to its sender, so nobody received or lost it; record a scan that "
        "tells where it went with ParcelService.RecordCheckpoints if it did not"
    )
    carrier: str
    number: str


class NotDelivered(Forbidden, reason="NOT_DELIVERED"):
    says = "parcel {number} of {carrier} is {status}, not delivered"
    carrier: str
    number: str
    status: ParcelStatus


class DisputedTooEarly(Forbidden, reason="DISPUTED_TOO_EARLY"):
    says = (
        "parcel {number} of {carrier} was delivered {delivered_at}, which nobody can have denied {at}; give the time "
        "at which it was"
    )
    carrier: str
    number: str
    at: datetime
    delivered_at: datetime


class UnknownShipment(NotFound, reason="UNKNOWN_SHIPMENT"):
    says = "nothing of supplier order {supplier_order_id} left in parcel {number} of {carrier}"
    carrier: str
    number: str
    supplier_order_id: str


class ParcelIsVoid(Forbidden, reason="PARCEL_IS_VOID"):
    says = "nothing left in parcel {number} of {carrier}, as was recorded {voided_at}; it left as: {instead}"
    carrier: str
    number: str
    voided_at: datetime
    instead: str


class ParcelOfReturn(Forbidden, reason="PARCEL_OF_RETURN"):
    says = "parcel {number} of {carrier} is what a customer sends back, as case {case_id} says"
    carrier: str
    number: str
    case_id: str


class NoShipmentToCorrect(Forbidden, reason="NO_SHIPMENT_TO_CORRECT"):
    says = "no supplier order left in parcel {number} of {carrier}; announce the right number, and void this one"
    carrier: str
    number: str


def known(parcel: Parcel | None, carrier: str, number: str) -> Parcel:
    if parcel is None:
        raise UnknownParcel(carrier, number)
    return parcel
