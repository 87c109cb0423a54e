"""What cases are refused for."""

from __future__ import annotations

from fulfilment.v1 import cases_pb2, orders_pb2
from tests.support.refusal_scenarios.about import Elsewhere, Scenarios, as_it_is, beyond, of_case, of_order
from tests.support.trading import REFUND, RESHIP, SHA256, Fields, Trade, eur, fresh, inspected, line, refund, shipping


def refunded(trade: Trade) -> str:
    """A case that was ruled again after all its units were refunded."""
    case_id = trade.granted()
    trade.send("RecordRefundPaid", case_id=case_id, refund_id=case_id)
    trade.send("RuleLiability", case_id=trade.reopened(case_id))
    return case_id


def unpaid_after_all(trade: Trade) -> str:
    case_id = trade.approved(REFUND)
    trade.send("RecordPayment", order_id=f"shop/{case_id}", payment=orders_pb2.PAYMENT_STATE_FAILED)
    return case_id


def paid_back(trade: Trade) -> str:
    """An order that was cancelled and whose money was paid back."""
    order_id = trade.cancelled()
    trade.send("RecordRefundPaid", case_id="", order_id=order_id)
    return order_id


def charged_back_before(trade: Trade) -> str:
    case_id = trade.approved(REFUND)
    trade.send("RecordChargeback", order_id=f"shop/{case_id}", amount=eur(1_980))
    return case_id


def charged_back_since(trade: Trade) -> Fields:
    case_id = trade.granted()
    trade.send("RecordChargeback", order_id=f"shop/{case_id}", amount=eur(1_980))
    return {"case_id": case_id, "refund_id": case_id}


def refund_granted(trade: Trade) -> Fields:
    case_id = trade.granted()
    return {"case_id": case_id, "refund_id": case_id}


def refund_paid(trade: Trade) -> Fields:
    fields = refund_granted(trade)
    trade.send("RecordRefundPaid", **fields)
    return fields


def granted_again(trade: Trade) -> Fields:
    case_id = trade.granted()
    return {"case_id": case_id, "refund_id": case_id, "lines": [refund()]}


def opened_again(trade: Trade) -> Fields:
    case_id = trade.opened()
    return {"case_id": case_id, "order_id": f"shop/{case_id}", "reason": cases_pb2.CASE_REASON_QUALITY}


def closed_with_evidence(trade: Trade) -> str:
    """A case to which nothing was added since it was closed."""
    case_id = trade.opened()
    trade.send("AddEvidence", case_id=case_id)
    return trade.closed(case_id)


def in_another_case(trade: Trade) -> str:
    """A case with new evidence whose units are in another case meanwhile."""
    case_id = trade.denied()
    trade.send("AddEvidence", case_id=case_id)
    trade.send("OpenCase", case_id=fresh(), order_id=f"shop/{case_id}", lines=[line(units=2)])
    return case_id


def of_a_forgotten(trade: Trade) -> str:
    """A case with evidence whose customer was erased."""
    email = f"{fresh()}@example.org"
    case_id = trade.opened(customer=orders_pb2.Customer(email=email))
    trade.send("AddEvidence", case_id=case_id)
    trade.send("ErasePerson", email=email, even_if_open=True)
    return case_id


CASES: Scenarios = {
    "OpenCase": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(Trade.delivered, lines=[line(9)]),
        "CASE_OPENED_DIFFERENTLY": opened_again,
        "UNITS_NOT_FREE": of_order(Trade.shipped),
        "NOT_LATE": of_order(Trade.shipped, reason=cases_pb2.CASE_REASON_LATE),
        "OUTSIDE_RETURN_WINDOW": of_order(
            lambda trade: trade.delivered(days_ago=100), reason=cases_pb2.CASE_REASON_CHANGED_MIND
        ),
    },
    "AnswerCustomer": {"UNKNOWN_CASE": as_it_is},
    "RequestEvidence": {
        "UNKNOWN_CASE": as_it_is,
        "CASE_CLOSED": of_case(Trade.denied),
        "PAST_EVIDENCE": of_case(Trade.ruled),
    },
    "AddEvidence": {
        "UNKNOWN_CASE": as_it_is,
        "TOO_MUCH_EVIDENCE": of_case(Trade.full),
        "EVIDENCE_NOT_KEPT": Elsewhere(
            "tests/service/test_case_service.py", "test_a_fact_never_names_bytes_that_are_not_there"
        ),
    },
    "StartReview": {
        "UNKNOWN_CASE": as_it_is,
        "CASE_CLOSED": of_case(Trade.denied),
        "REVIEW_PASSED": of_case(Trade.ruled),
    },
    "RuleLiability": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_EVIDENCE": of_case(Trade.reviewed, evidence_sha256=[SHA256]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NOT_UNDER_REVIEW": of_case(Trade.opened),
    },
    "ApproveRemedy": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.ruled, lines=[line(9)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NOT_RULED": of_case(Trade.reviewed),
        "REMEDY_CHOSEN": of_case(Trade.labelled),
        "OVER_REMEDIED": of_case(Trade.ruled, lines=[line(units=9)]),
        "ALREADY_REFUNDED": of_case(refunded, remedy=RESHIP),
    },
    "DenyCase": {
        "UNKNOWN_CASE": as_it_is,
        "CASE_CLOSED": of_case(lambda trade: trade.closed(trade.opened())),
        "NOT_RULED": of_case(Trade.reviewed),
        "REMEDY_CHOSEN": of_case(Trade.granted),
        "NOT_ASKED_FOR_EVIDENCE": of_case(Trade.opened, reason=cases_pb2.DENIAL_NO_EVIDENCE),
        "EVIDENCE_STILL_DUE": of_case(Trade.evidence_asked, reason=cases_pb2.DENIAL_NO_EVIDENCE),
    },
    "RecordReturnLabel": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.labelled, label_id="label-2", lines=[line(9)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NO_REMEDY_YET": of_case(Trade.ruled),
        "NOT_RETURNABLE": of_case(Trade.labelled, label_id="label-2"),
        "NOTHING_TO_SEND_BACK": of_case(Trade.granted),
        "LABELLED_DIFFERENTLY": of_case(Trade.labelled, lines=[line()]),
        "EVIDENCE_NOT_KEPT": Elsewhere(
            "tests/service/test_case_service.py", "test_a_fact_never_names_bytes_that_are_not_there"
        ),
    },
    "RecordReturnShipped": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LABEL": of_case(Trade.granted),
        "CASE_CLOSED": of_case(lambda trade: trade.closed(trade.labelled())),
        "NO_REMEDY_YET": of_case(lambda trade: trade.reopened(trade.closed(trade.labelled()))),
        "SENT_BACK_OTHERWISE": of_case(Trade.sent_back),
    },
    "RecordReturnReceived": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.labelled, lines=[line(9)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NO_REMEDY_YET": of_case(Trade.ruled),
        "OVER_RECEIVED": of_case(Trade.labelled, lines=[line(units=9)]),
        "RECEIVED_BEFORE": of_case(Trade.received),
    },
    "RecordInspection": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.received, lines=[inspected(9, restocked=1)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NO_REMEDY_YET": of_case(Trade.ruled),
        "OVER_INSPECTED": of_case(Trade.labelled),
        "NOT_MISSING": of_case(Trade.received, lines=[inspected(missing=1)]),
        "INSPECTED_BEFORE": of_case(Trade.inspected),
    },
    "GrantRefund": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.granted, lines=[refund(9)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NO_REMEDY_YET": of_case(Trade.ruled),
        "WAITS_FOR_RESHIP": of_case(Trade.reshipped),
        "NOTHING_TO_REFUND": of_case(Trade.granted),
        "OVER_REMEDIED": of_case(Trade.granted, lines=[refund()]),
        "NOT_INSPECTED": of_case(Trade.received, lines=[refund()]),
        "NOTHING_PAID": of_case(unpaid_after_all),
        "REFUND_TOO_LARGE": of_case(lambda trade: trade.approved(REFUND), lines=[refund(amount_minor=991)]),
        "UNKNOWN_CHARGE": of_case(
            lambda trade: trade.approved(REFUND), charges=[cases_pb2.ChargeAmount(charge_id="nothing")]
        ),
        "CHARGE_REFUND_TOO_LARGE": of_case(
            lambda trade: trade.approved(REFUND, charges=[shipping(490)]),
            charges=[cases_pb2.ChargeAmount(charge_id="shipping", amount_minor=491)],
        ),
        "MORE_THAN_CAME_IN": of_case(charged_back_before),
        "REFUND_GRANTED_DIFFERENTLY": granted_again,
    },
    "DenyRefund": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_LINE": of_case(Trade.granted, lines=[line(9)]),
        "CASE_CLOSED": of_case(Trade.denied),
        "NO_REMEDY_YET": of_case(Trade.ruled),
        "WAITS_FOR_RESHIP": of_case(Trade.reshipped),
        "NOTHING_TO_REFUND": of_case(Trade.granted),
        "OVER_REMEDIED": of_case(Trade.granted, lines=[line()]),
        "UNKNOWN_REFUND": of_case(Trade.granted, refund_id="none"),
        "REFUND_WAS_PAID": refund_paid,
        "REFUND_CAN_BE_PAID": refund_granted,
    },
    "RecordRefundPaid": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_REFUND": of_case(Trade.granted),
        "MORE_THAN_CAME_IN": charged_back_since,
        "UNKNOWN_ORDER": lambda trade: {"case_id": "", "order_id": "shop/nobody"},
        "NOTHING_OWED": of_order(Trade.placed, case_id=""),
        "MORE_THAN_OWED": of_order(Trade.cancelled, case_id="", amount=eur(10**6)),
        "ORDER_PAYMENT_DIFFERS": of_order(paid_back, case_id="", amount=eur(1)),
    },
    "CancelCase": {
        "UNKNOWN_CASE": as_it_is,
        "CASE_CLOSED": of_case(Trade.denied),
        "GOODS_RECEIVED": of_case(Trade.received),
        "REFUND_STANDS": of_case(Trade.granted),
        "WAITS_FOR_RESHIP": of_case(Trade.reshipped),
    },
    "ReopenCase": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_EVIDENCE": of_case(Trade.denied),
        "CASE_NOT_CLOSED": of_case(Trade.opened),
        "NO_NEW_EVIDENCE": of_case(closed_with_evidence),
        "UNITS_NOT_FREE": of_case(in_another_case),
    },
    "GetCase": {"UNKNOWN_CASE": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListCases": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetEvidence": {
        "UNKNOWN_CASE": as_it_is,
        "UNKNOWN_EVIDENCE": of_case(Trade.opened),
        "EVIDENCE_ERASED": of_case(of_a_forgotten),
    },
}
