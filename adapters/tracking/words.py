"""What a tracker's word means, as one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from fulfilment.v1 import parcels_pb2 as pb


class Meaning(NamedTuple):
    """What a scan with a word says of the parcel."""

    status: pb.ParcelStatus.ValueType
    asks: pb.CustomsAsk.ValueType = pb.CUSTOMS_ASK_UNSPECIFIED
    """What customs wants; only where it holds the parcel."""
    reached_customer: bool = False
    """Whether it is said to have reached the customer, or somebody there; only of a delivery."""
    known: bool = True
    """Whether the word is in the table of its system; one that is not stays under OTHER, and is counted."""


OTHER = Meaning(pb.PARCEL_STATUS_OTHER)
UNKNOWN = Meaning(pb.PARCEL_STATUS_OTHER, known=False)
REGISTERED = Meaning(pb.PARCEL_STATUS_REGISTERED)
IN_TRANSIT = Meaning(pb.PARCEL_STATUS_IN_TRANSIT)
AT_CUSTOMS = Meaning(pb.PARCEL_STATUS_CUSTOMS_PROCESSING)
HELD = Meaning(pb.PARCEL_STATUS_CUSTOMS_HELD)
HELD_FOR_PAPERS = Meaning(pb.PARCEL_STATUS_CUSTOMS_HELD, pb.CUSTOMS_ASK_DOCUMENTS)
HELD_FOR_PAYMENT = Meaning(pb.PARCEL_STATUS_CUSTOMS_HELD, pb.CUSTOMS_ASK_PAYMENT)
PROHIBITED = Meaning(pb.PARCEL_STATUS_CUSTOMS_HELD, pb.CUSTOMS_ASK_PROHIBITED)
OUT_FOR_DELIVERY = Meaning(pb.PARCEL_STATUS_OUT_FOR_DELIVERY)
ATTEMPT_FAILED = Meaning(pb.PARCEL_STATUS_ATTEMPT_FAILED)
FOR_PICKUP = Meaning(pb.PARCEL_STATUS_AVAILABLE_FOR_PICKUP)
DELIVERED = Meaning(pb.PARCEL_STATUS_DELIVERED)
REACHED = Meaning(pb.PARCEL_STATUS_DELIVERED, reached_customer=True)
DELAYED = Meaning(pb.PARCEL_STATUS_DELAYED)
RETURNING = Meaning(pb.PARCEL_STATUS_RETURNING)
RETURNED = Meaning(pb.PARCEL_STATUS_RETURNED)
DAMAGED = Meaning(pb.PARCEL_STATUS_DAMAGED)
SUSPECTED_LOST = Meaning(pb.PARCEL_STATUS_SUSPECTED_LOST)
LOST = Meaning(pb.PARCEL_STATUS_LOST)
DESTROYED = Meaning(pb.PARCEL_STATUS_DESTROYED)
REFUSED = Meaning(pb.PARCEL_STATUS_REFUSED)

_ENDS = frozenset({pb.PARCEL_STATUS_DELIVERED, pb.PARCEL_STATUS_RETURNED})


def ends_a_journey(status: int) -> bool:
    return status in _ENDS


def meaning(words: Mapping[str, Meaning], *codes: str) -> Meaning:
    """That of the first code that is known, the finest named first; where none says anything, OTHER."""
    return next((words[code] for code in codes if code in words), UNKNOWN if any(codes) else OTHER)
