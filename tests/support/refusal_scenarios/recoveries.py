"""What recoveries are refused for."""

from __future__ import annotations

from typing import Any

from ledger.terms.money import MOST_MINOR
from tests.support.refusal_scenarios.about import Scenarios, as_it_is, beyond, no_such_supplier_order, of_recovery
from tests.support.service import stamp
from tests.support.trading import DAY, LOSS, NOW, Fields, Trade, cost, eur, first_of, fresh, parcel_of


def supplier_fault(trade: Trade) -> Fields:
    """A recovery from the supplier of an order."""
    order_id = trade.shipped()
    return {"recovery_id": fresh(), "order_id": order_id, **first_of(order_id)}


def loss(order_id: str, **more: Any) -> Fields:
    """A claim for the parcel of an order."""
    return {"recovery_id": fresh(), "kind": LOSS, "order_id": order_id, **parcel_of(order_id), **more}


def claimed_for(trade: Trade) -> str:
    """An order whose parcel is claimed for."""
    order_id = trade.shipped()
    trade.send("OpenRecovery", **loss(order_id))
    return order_id


RECOVERIES: Scenarios = {
    "OpenRecovery": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "UNKNOWN_CASE": lambda trade: {**supplier_fault(trade), "case_id": "nobody"},
        "UNKNOWN_PARCEL": lambda trade: loss(trade.shipped(), tracking_number="NOBODY"),
        "RECOVERY_OPENED_DIFFERENTLY": lambda trade: {**supplier_fault(trade), "recovery_id": trade.asked()},
        "CLAIMED_ALREADY": lambda trade: loss(claimed_for(trade)),
        "PARCEL_NOT_OF_ORDER": lambda trade: loss(trade.shipped(), **parcel_of(trade.shipped())),
        "CASE_OF_ANOTHER_ORDER": lambda trade: {**supplier_fault(trade), "case_id": trade.opened()},
        "PARCEL_IS_DELIVERED": lambda trade: loss(trade.delivered()),
    },
    "RaiseRecovery": {
        "UNKNOWN_RECOVERY": as_it_is,
        "RECOVERY_ENDED": of_recovery(Trade.written_off),
        "OTHER_CURRENCY": of_recovery(Trade.asked, currency="USD"),
        "COST_DIFFERS": of_recovery(Trade.asked, cost=cost(1)),
        "TOTAL_TOO_LARGE": of_recovery(Trade.asked, cost=cost(MOST_MINOR, "freight-1")),
    },
    "AnswerRecovery": {
        "UNKNOWN_RECOVERY": as_it_is,
        "CLAIM_ON_CARRIER": of_recovery(Trade.claim),
        "OTHER_CURRENCY": of_recovery(Trade.asked, accepted=eur(1, "USD")),
        "MORE_THAN_ASKED": of_recovery(Trade.asked, accepted=eur(1001)),
        "LESS_THAN_RECEIVED": of_recovery(Trade.settled_in_part, accepted=eur(1)),
        "RECOVERY_ENDED": of_recovery(Trade.written_off),
    },
    "SettleRecovery": {
        "UNKNOWN_RECOVERY": as_it_is,
        "CLAIM_ON_CARRIER": of_recovery(Trade.claim),
        "OTHER_CURRENCY": of_recovery(Trade.accepted, amount=eur(1, "USD")),
        "NOTHING_AGREED": of_recovery(Trade.asked),
        "MORE_THAN_AGREED": of_recovery(Trade.accepted, amount=eur(1001)),
        "PAYMENT_DIFFERS": of_recovery(Trade.settled_in_part),
        "RECOVERY_ENDED": of_recovery(Trade.written_off),
    },
    "WriteOffRecovery": {"UNKNOWN_RECOVERY": as_it_is, "RECOVERY_ENDED": of_recovery(Trade.paid)},
    "CollectDocument": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "FileClaim": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_ELIGIBLE": of_recovery(lambda trade: trade.claim(days_ago=1)),
        "DOCUMENTS_MISSING": of_recovery(Trade.claim),
        "NOTHING_TO_CLAIM": of_recovery(lambda trade: trade.documented(costs=[])),
        "FILING_DEADLINE_PASSED": of_recovery(lambda trade: trade.documented(days_ago=59), at=stamp(NOW + DAY)),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "AcknowledgeClaim": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_FILED": of_recovery(Trade.claim),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "DecideClaim": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_FILED": of_recovery(Trade.claim),
        "OTHER_CURRENCY": of_recovery(Trade.filed, approved=eur(1, "USD")),
        "CLAIM_DECIDED": of_recovery(Trade.decided, approved=eur(1)),
        "MORE_THAN_ASKED": of_recovery(Trade.filed, approved=eur(1001)),
        "LESS_THAN_RECEIVED": of_recovery(Trade.appealed, approved=eur(1)),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "RecordClaimPayment": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_FILED": of_recovery(Trade.claim),
        "OTHER_CURRENCY": of_recovery(Trade.decided, amount=eur(1, "USD")),
        "NOTHING_AGREED": of_recovery(Trade.filed),
        "MORE_THAN_AGREED": of_recovery(Trade.decided, amount=eur(1001)),
        "PAYMENT_DIFFERS": of_recovery(Trade.paid, amount=eur(1)),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "AppealClaim": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_FILED": of_recovery(Trade.claim),
        "NOTHING_TO_APPEAL": of_recovery(Trade.decided),
        "RECOVERY_ENDED": of_recovery(Trade.paid),
    },
    "ReturnClaimPayment": {
        "UNKNOWN_RECOVERY": as_it_is,
        "NO_CARRIER_CLAIM": of_recovery(Trade.asked),
        "CLAIM_NOT_FILED": of_recovery(Trade.claim),
        "OTHER_CURRENCY": of_recovery(Trade.paid, amount=eur(1, "USD")),
        "MORE_THAN_KEPT": of_recovery(Trade.paid, amount=eur(1001)),
        "PAYMENT_DIFFERS": of_recovery(Trade.given_back, amount=eur(1)),
        "RECOVERY_ENDED": of_recovery(Trade.claim_written_off),
    },
    "GetRecovery": {"UNKNOWN_RECOVERY": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListRecoveries": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}
