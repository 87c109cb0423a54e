"""Every refusal that the protos document, produced over a real socket.

The table names for each RPC what it is refused for, and what makes it so: the fields in which its request differs from
a well-formed one about nothing that there is. That nothing else is refused, every test with a client watches over
(``tests.support.service.Documented``).
"""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from adapters.rpc.statuses import code_of
from fulfilment.v1 import admin_pb2, audit_pb2, cases_pb2, orders_pb2, shipping_pb2, suppliers_pb2
from ledger.refusals import Refusal
from ledger.terms.money import MOST_MINOR
from tests.database import test_ledger_engine
from tests.service import test_case_service
from tests.support import documented
from tests.support.contract import refusal_classes
from tests.support.documented import Refused
from tests.support.edges import edges
from tests.support.service import (
    Client,
    error_info,
    fields_of,
    serving,
    stamp,
)
from tests.support.trading import (
    DAY,
    LOSS,
    NOW,
    REFUND,
    RESHIP,
    SHA256,
    WELL_FORMED,
    Fields,
    Trade,
    answer,
    bought,
    cost,
    eur,
    first_of,
    fresh,
    inspected,
    line,
    number_of,
    parcel_of,
    refund,
    wanted,
)
from tests.unit import test_customs, test_stock

RPCS = documented.rpcs()
FAR = 10**12
"""A position that no log here reaches."""

FAR_VERSIONS = 10**6
"""More versions than any policy here has."""

Scenario = Callable[[Trade], Fields]
Word = Callable[[Trade], str]


class Elsewhere:
    """The test that produces what no caller can bring about at will."""

    def __init__(self, test: Callable[..., object]) -> None:
        self.test = test


# --- ways to be about something ---------------------------------------------------------------------


def as_it_is(trade: Trade) -> Fields:
    """About nothing that there is."""
    return {}


def beyond(trade: Trade) -> Fields:
    return {"at_least": FAR}


def named(field: str) -> Callable[..., Scenario]:
    """About what a word answers with, which a field names."""

    def about(word: Word, **more: Any) -> Scenario:
        return lambda trade: {field: word(trade), **more}

    return about


of_order, of_supplier, of_recovery = named("order_id"), named("supplier_id"), named("recovery_id")
of_case, of_inquiry = named("case_id"), named("inquiry_id")
of_message, of_task = named("message_id"), named("task_id")


def of_first(word: Word, **more: Any) -> Scenario:
    """About the first supplier order of an order."""
    return lambda trade: {**first_of(word(trade)), **more}


def of_parcel(word: Word) -> Scenario:
    return lambda trade: parcel_of(word(trade))


def no_such_supplier_order(trade: Trade) -> Fields:
    order_id = trade.placed()
    return {"order_id": order_id, "supplier_order_id": f"{order_id}/9"}


def first_that_left(trade: Trade) -> Fields:
    order_id = trade.shipped()
    return {"order_id": order_id, **first_of(order_id)}


def ninth_of(trade: Trade) -> Fields:
    return {"supplier_order_id": f"{trade.placed()}/9"}


# --- stories that only a refusal is told by ---------------------------------------------------------


def turned_down(trade: Trade) -> str:
    """An order whose supplier rejects it, where nobody else offers the goods."""
    order_id = trade.sent()
    rejected = answer(rejected=1, reason=orders_pb2.REJECT_REASON_DISCONTINUED)
    trade.tell("AcknowledgeSupplierOrder", **first_of(order_id), lines=[rejected])
    return order_id


def sold_elsewhere(trade: Trade) -> str:
    """An order that nothing holds any more, and whose stock is gone."""
    sku = trade.stocked(1)
    order_id = trade.free_to_confirm(sku=sku)
    trade.client.feed(0, sku=sku, version=2)
    return order_id


def of_suspended(trade: Trade) -> str:
    """An order that nothing holds any more, of a supplier that was suspended meanwhile."""
    supplier_id = trade.supplier()
    order_id = trade.free_to_confirm(lines=[bought(supplier_id=supplier_id)])
    trade.tell("SuspendSupplier", supplier_id=supplier_id)
    return order_id


def offered_too_dear(trade: Trade) -> str:
    """An order that nothing holds any more, and that its supplier now asks more for than is taken."""
    sku = fresh()
    order_id = trade.free_to_confirm(lines=[bought(sku, 2)])
    offer_too_dear(trade, sku)
    return order_id


def held_as_too_dear(trade: Trade) -> str:
    sku = fresh()
    offer_too_dear(trade, sku)
    return trade.placed(lines=[bought(sku, 2)])


def offer_too_dear(trade: Trade, sku: str) -> None:
    """Two units come to more than is taken."""
    trade.tell("OfferSku", supplier_id="acme", offer=suppliers_pb2.Offer(sku=sku, cost=eur(MOST_MINOR)))


def abroad(trade: Trade) -> str:
    """An order that would cross a border."""
    return trade.placed(lines=[bought(supplier_id=trade.supplier(country="CN"))])


def retired_after_all(trade: Trade) -> str:
    supplier_id = trade.proposed()
    trade.tell("RetireSupplier", supplier_id=supplier_id)
    return supplier_id


def reserved_more(trade: Trade) -> Fields:
    said = trade.reserved()
    return {**said, "items": [wanted(said["items"][0].sku, 2)]}


def extended(trade: Trade) -> Fields:
    said = trade.reserved()
    trade.tell("ExtendReservation", **said)
    return {**said, "expires_at": stamp(NOW + 3 * DAY)}


def refunded(trade: Trade) -> str:
    """A case that was ruled again after all its units were refunded."""
    case_id = trade.granted()
    trade.tell("RecordRefundPaid", case_id=case_id, refund_id=case_id)
    trade.tell("RuleLiability", case_id=trade.reopened(case_id))
    return case_id


def unpaid_after_all(trade: Trade) -> str:
    case_id = trade.approved(REFUND)
    trade.tell("RecordPayment", order_id=f"shop/{case_id}", payment=orders_pb2.PAYMENT_STATE_FAILED)
    return case_id


def charged_back_before(trade: Trade) -> str:
    case_id = trade.approved(REFUND)
    trade.tell("RecordChargeback", order_id=f"shop/{case_id}", amount=eur(1_980))
    return case_id


def charged_back_since(trade: Trade) -> Fields:
    case_id = trade.granted()
    trade.tell("RecordChargeback", order_id=f"shop/{case_id}", amount=eur(1_980))
    return {"case_id": case_id, "refund_id": case_id}


def refund_granted(trade: Trade) -> Fields:
    case_id = trade.granted()
    return {"case_id": case_id, "refund_id": case_id}


def refund_paid(trade: Trade) -> Fields:
    said = refund_granted(trade)
    trade.tell("RecordRefundPaid", **said)
    return said


def granted_again(trade: Trade) -> Fields:
    case_id = trade.granted()
    return {"case_id": case_id, "refund_id": case_id, "lines": [refund()]}


def opened_again(trade: Trade) -> Fields:
    case_id = trade.opened()
    return {"case_id": case_id, "order_id": f"shop/{case_id}", "reason": cases_pb2.CASE_REASON_QUALITY}


def closed_with_evidence(trade: Trade) -> str:
    """A case to which nothing was added since it was closed."""
    case_id = trade.opened()
    trade.tell("AddEvidence", case_id=case_id)
    return trade.closed(case_id)


def in_another_case(trade: Trade) -> str:
    """A case with new evidence whose units are in another case meanwhile."""
    case_id = trade.denied()
    trade.tell("AddEvidence", case_id=case_id)
    trade.tell("OpenCase", case_id=fresh(), order_id=f"shop/{case_id}", lines=[line(units=2)])
    return case_id


def of_a_forgotten(trade: Trade) -> str:
    """A case with evidence whose customer was erased."""
    email = f"{fresh()}@example.org"
    case_id = trade.opened(customer=orders_pb2.Customer(email=email))
    trade.tell("AddEvidence", case_id=case_id)
    trade.tell("ErasePerson", email=email)
    return case_id


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
    trade.tell("OpenRecovery", **loss(order_id))
    return order_id


# --- the table --------------------------------------------------------------------------------------

TABLE: Mapping[str, Mapping[str, Scenario | Elsewhere]] = {
    # --- orders ---
    "PlaceOrder": {
        "ORDER_PLACED_DIFFERENTLY": lambda trade: {"channel_order_id": number_of(trade.placed())},
        "OUT_OF_STOCK": lambda trade: {
            "sku": trade.stocked(1),
            "units": 2,
            "stock_policy": orders_pb2.STOCK_POLICY_ALL_OR_NOTHING,
        },
    },
    "CompleteDetails": {
        "UNKNOWN_ORDER": as_it_is,
        "ORDER_IS_CONFIRMED": of_order(Trade.placed),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "TOTAL_TOO_LARGE": of_order(
            lambda trade: trade.placed(lines=[bought(sku="")]),
            lines=[orders_pb2.OrderLine(line_no=2, sku="cup", quantity=1, unit_price_minor=MOST_MINOR)],
        ),
    },
    "RecordPayment": {"UNKNOWN_ORDER": as_it_is},
    "PlaceHold": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "NOTHING_TO_SHIP": first_that_left,
    },
    "ReleaseHold": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "UNKNOWN_HOLD": of_order(Trade.placed),
        "UNKNOWN_SUPPLIER": of_order(
            lambda trade: trade.placed(lines=[bought(supplier_id="nobody")]), reason=orders_pb2.HOLD_REASON_OTHER
        ),
        "STILL_INCOMPLETE": of_order(
            lambda trade: trade.placed(lines=[bought(sku="")]), reason=orders_pb2.HOLD_REASON_INCOMPLETE
        ),
        "TOTAL_TOO_LARGE": of_order(held_as_too_dear, reason=orders_pb2.HOLD_REASON_OTHER),
        "OUT_OF_STOCK": of_order(
            lambda trade: trade.placed(sku=trade.stocked(1), units=2), reason=orders_pb2.HOLD_REASON_OUT_OF_STOCK
        ),
        "CUSTOMS_DATA_MISSING": of_order(abroad, reason=orders_pb2.HOLD_REASON_CUSTOMS_DATA),
        "SUPPLIER_NOT_APPROVED": of_order(
            lambda trade: trade.placed(lines=[bought(supplier_id=trade.candidate())]),
            reason=orders_pb2.HOLD_REASON_OTHER,
        ),
        "NO_QUALIFIED_SUPPLIER": of_order(turned_down, reason=orders_pb2.HOLD_REASON_OUT_OF_STOCK),
    },
    "ConfirmOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "ORDER_ON_HOLD": of_order(Trade.unpaid),
        "OUT_OF_STOCK": of_order(sold_elsewhere),
        "SUPPLIER_NOT_APPROVED": of_order(of_suspended),
        "TOTAL_TOO_LARGE": of_order(offered_too_dear),
        "NOT_CONFIRMABLE": of_order(lambda trade: trade.cancelled(payment=orders_pb2.PAYMENT_STATE_PENDING)),
        "BEFORE_PLACING": of_order(Trade.unpaid, at=stamp(NOW - 195 * DAY)),
    },
    "SendSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "ORDER_ON_HOLD": of_first(lambda trade: trade.held(trade.placed())),
        "NOTHING_TO_SHIP": of_first(Trade.cancelled),
        "BEFORE_PLACING": of_first(Trade.placed, at=stamp(NOW - 195 * DAY)),
        "CUSTOMS_DATA_MISSING": Elsewhere(
            test_customs.test_nothing_is_sent_across_a_border_without_customs_data_even_if_no_hold_stands
        ),
    },
    "AcknowledgeSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "UNKNOWN_LINE": of_first(Trade.sent, lines=[answer(9, accepted=1)]),
        "NOT_SENT": of_first(Trade.placed),
        "BEFORE_PLACING": of_first(Trade.sent, lines=[answer(accepted=1)], at=stamp(NOW - 195 * DAY)),
        "OVER_ANSWERED": of_first(Trade.sent, lines=[answer(accepted=9)]),
        "UNDER_ANSWERED": of_first(lambda trade: trade.sent(units=2)),
    },
    "PackSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NOT_SENT": of_first(Trade.placed),
        "NOTHING_TO_SHIP": of_first(Trade.shipped),
    },
    "ShipSupplierOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "UNKNOWN_LINE": of_first(Trade.sent, lines=[line(9)]),
        "NOT_SENT": of_first(Trade.placed),
        "NOTHING_TO_SHIP": of_first(Trade.shipped),
        "OVER_SHIPPED": of_first(Trade.sent, lines=[line(units=9)]),
        "PARCEL_OF_ANOTHER_ORDER": lambda trade: {**trade.partly_shipped(), "lines": [line(units=2)]},
    },
    "CancelOrder": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[line(9)]),
        "CANNOT_CANCEL": of_order(Trade.placed, lines=[line(units=9)]),
        "NOTHING_TO_CANCEL": of_order(Trade.shipped),
        "BEFORE_PLACING": of_order(Trade.placed, at=stamp(NOW - 195 * DAY)),
    },
    "AnswerCancelRequest": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NO_CANCEL_ASKED": of_first(Trade.sent),
        "BEFORE_PLACING": of_first(Trade.sent, at=stamp(NOW - 195 * DAY)),
    },
    "RerouteUnits": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": no_such_supplier_order,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[line(9)]),
        "NO_QUALIFIED_SUPPLIER": of_order(turned_down),
        "CANNOT_REROUTE": of_order(turned_down, lines=[line(units=9)]),
        "NOTHING_TO_REROUTE": of_order(Trade.placed),
        "BEFORE_PLACING": of_order(turned_down, at=stamp(NOW - 195 * DAY)),
    },
    "ChangeAddress": {
        "UNKNOWN_ORDER": as_it_is,
        "ALREADY_PACKED": of_order(Trade.shipped),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "BEFORE_PLACING": of_order(Trade.placed, at=stamp(NOW - 195 * DAY)),
    },
    "RuleDelay": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NO_DELAY": of_first(Trade.sent),
        "BEFORE_PLACING": of_first(Trade.sent, at=stamp(NOW - 195 * DAY)),
    },
    "ConfirmReceipt": {
        "UNKNOWN_ORDER": as_it_is,
        "NOT_DISPATCHED": of_order(Trade.placed),
        "PARCEL_RETURNED": of_order(Trade.came_back),
        "RECEIVED_TOO_EARLY": of_order(Trade.shipped, at=stamp(NOW - 195 * DAY)),
    },
    "RecordReview": {"UNKNOWN_ORDER": as_it_is, "REVIEW_DIFFERS": of_order(Trade.rated, score=1)},
    "RecordChargeback": {"UNKNOWN_ORDER": as_it_is, "CHARGEBACK_DIFFERS": of_order(Trade.charged_back, amount=eur(1))},
    "CompleteCustomsData": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_LINE": of_order(Trade.placed, lines=[shipping_pb2.CustomsLine(line_no=9)]),
        "ORDER_CLOSED": of_order(Trade.cancelled),
        "DECLARED_TOTAL_DIFFERS": of_order(Trade.placed, declared_total=eur(1)),
        "TOTAL_TOO_LARGE": of_order(
            lambda trade: trade.placed(units=2),
            lines=[shipping_pb2.CustomsLine(line_no=1, declared_value_minor=MOST_MINOR)],
        ),
    },
    "GetCustoms": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetCommercialInvoice": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": ninth_of,
        "NOT_ITS_PARCEL": lambda trade: {**first_of(trade.shipped()), **parcel_of(trade.shipped())},
        "CUSTOMS_DATA_MISSING": of_first(Trade.placed),
        "NOTHING_TO_INVOICE": of_first(Trade.cancelled),
        "BEYOND_THE_LOG": beyond,
    },
    "GetOrder": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
    # --- suppliers and stock ---
    "RegisterSupplier": {"SUPPLIER_REGISTERED_DIFFERENTLY": of_supplier(Trade.candidate, name="Another Ltd")},
    "ReviewSample": {"UNKNOWN_SUPPLIER": as_it_is, "WRONG_STANDING": of_supplier(Trade.retired)},
    "AgreeTerms": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "WRONG_STANDING": of_supplier(Trade.retired),
        "CHANGED_MEANWHILE": of_supplier(
            Trade.supplier, agreement=suppliers_pb2.Agreement(dispatch_within_hours=24), seen_agreements=0
        ),
    },
    "AgreePolicy": {
        "CHANGED_MEANWHILE": lambda trade: {"policy": admin_pb2.Policy(cover_days=9), "seen_versions": FAR_VERSIONS}
    },
    "ApproveSupplier": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "WRONG_STANDING": of_supplier(Trade.retired),
        "SAMPLE_MISSING": of_supplier(Trade.candidate),
        "TERMS_MISSING": of_supplier(Trade.sampled),
    },
    "OfferSku": {"UNKNOWN_SUPPLIER": as_it_is, "WRONG_STANDING": of_supplier(Trade.retired)},
    "SuspendSupplier": {"UNKNOWN_SUPPLIER": as_it_is, "WRONG_STANDING": of_supplier(Trade.candidate)},
    "ReinstateSupplier": {"UNKNOWN_SUPPLIER": as_it_is, "WRONG_STANDING": of_supplier(Trade.candidate)},
    "RetireSupplier": {"UNKNOWN_SUPPLIER": as_it_is},
    "ReviewSupplier": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "WRONG_STANDING": of_supplier(Trade.candidate),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "AcceptSuspension": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "SUSPENSION_NOT_PROPOSED": of_supplier(Trade.candidate),
        "WRONG_STANDING": of_supplier(retired_after_all),
    },
    "DismissSuspension": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "SUSPENSION_NOT_PROPOSED": of_supplier(Trade.candidate),
    },
    "GetSupplier": {"UNKNOWN_SUPPLIER": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetSku": {"BEYOND_THE_LOG": beyond},
    "RecordFeed": {"UNKNOWN_SUPPLIER": as_it_is},
    "SetBuffer": {"UNKNOWN_SUPPLIER": as_it_is},
    "SetLowStockThreshold": {"UNKNOWN_SUPPLIER": as_it_is},
    "Reserve": {"OUT_OF_STOCK": as_it_is, "RESERVATION_EXISTS": reserved_more},
    "ExtendReservation": {
        "UNKNOWN_RESERVATION": as_it_is,
        "ALREADY_EXTENDED": extended,
        "NOT_LONGER": lambda trade: {**trade.reserved(), "expires_at": stamp(datetime.now(UTC) + timedelta(minutes=5))},
        "HOLD_EXPIRED": Elsewhere(test_stock.test_an_expired_hold_is_not_extended),
    },
    "ReleaseReservation": {"UNKNOWN_RESERVATION": as_it_is},
    "GetStock": {"BEYOND_THE_LOG": beyond},
    # --- parcels ---
    "RecordCheckpoints": {"UNKNOWN_PARCEL": as_it_is},
    "ProveDelivery": {"UNKNOWN_PARCEL": as_it_is, "NOT_DELIVERED": of_parcel(Trade.shipped)},
    "DisputeDelivery": {
        "UNKNOWN_PARCEL": as_it_is,
        "NOT_DELIVERED": of_parcel(Trade.shipped),
        "DISPUTED_TOO_EARLY": lambda trade: {**parcel_of(trade.delivered()), "at": stamp(NOW - DAY)},
        "UNITS_IN_RETURN": of_parcel(lambda trade: f"shop/{trade.labelled()}"),
    },
    "ConfirmLoss": {
        "UNKNOWN_PARCEL": as_it_is,
        "ALREADY_DELIVERED": of_parcel(Trade.delivered),
        "PARCEL_RETURNED": of_parcel(Trade.came_back),
    },
    "GetParcel": {"UNKNOWN_PARCEL": as_it_is, "BEYOND_THE_LOG": beyond},
    # --- cases ---
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
        "EVIDENCE_NOT_KEPT": Elsewhere(test_case_service.test_a_fact_never_names_bytes_that_are_not_there),
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
    # --- recoveries ---
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
    # --- questions, messages, work ---
    "AskInquiry": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_SUPPLIER_ORDER": lambda trade: {**ninth_of(trade), "supplier_id": ""},
        "UNKNOWN_SUPPLIER": of_order(Trade.placed, supplier_id="nobody"),
        "INQUIRY_ASKED_DIFFERENTLY": lambda trade: {"inquiry_id": trade.inquiry(), "order_id": trade.placed()},
    },
    "AnswerInquiry": {
        "UNKNOWN_INQUIRY": as_it_is,
        "INQUIRY_IS_CLOSED": of_inquiry(Trade.closed_inquiry),
        "ANSWERED_BEFORE_ASKED": of_inquiry(Trade.inquiry, at=stamp(NOW - DAY)),
    },
    "CloseInquiry": {"UNKNOWN_INQUIRY": as_it_is},
    "GetInquiry": {"UNKNOWN_INQUIRY": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListInquiries": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListMessages": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetMessage": {"UNKNOWN_MESSAGE": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "RetryMessage": {
        "UNKNOWN_MESSAGE": as_it_is,
        "MESSAGE_IS_SENT": of_message(Trade.told),
        "MESSAGE_IS_CANCELLED": of_message(Trade.untold),
    },
    "CancelMessage": {
        "UNKNOWN_MESSAGE": as_it_is,
        "MESSAGE_IS_SENT": of_message(Trade.told),
    },
    "ListWork": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "ClaimWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "ReleaseWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    "FinishWork": {
        "UNKNOWN_WORK": as_it_is,
        "WORK_IS_CLAIMED": of_task(Trade.claimed),
        "WORK_IS_FINISHED": of_task(Trade.finished, outcome="done twice"),
        "PROJECTION_BEHIND": as_it_is,
        "BEYOND_THE_LOG": beyond,
    },
    # --- the log, reports and the service itself ---
    "GetHistory": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_CASE": lambda trade: {"case_id": "nobody"},
        "UNKNOWN_RECOVERY": lambda trade: {"recovery_id": "nobody"},
        "UNKNOWN_SUPPLIER": lambda trade: {"supplier_id": "nobody"},
        "BEYOND_THE_LOG": beyond,
    },
    "GetOrderAsOf": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": lambda trade: {"position": FAR}},
    "StreamFacts": {"BEYOND_THE_LOG": lambda trade: {"after": FAR}},
    "GetPolicy": {"BEYOND_THE_LOG": beyond},
    "ListShippingServices": {"BEYOND_THE_LOG": beyond},
    "RebuildProjection": {"UNKNOWN_PROJECTION": as_it_is},
    "ErasePerson": {
        "UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody"},
        "UNKNOWN_PERSON": as_it_is,
    },
    **{
        rpc.name: {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond}
        for rpc in RPCS.values()
        if rpc.service == "ReportService"
    },
    "GetTracking": {"UNKNOWN_ORDER": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}


# --- what everybody may be refused for --------------------------------------------------------------

OF_QUERIES = frozenset(
    {
        Refused("INVALID_ARGUMENT", "MALFORMED"),
        Refused("NOT_FOUND", "UNKNOWN_TENANT"),
        Refused("UNAVAILABLE", "STORAGE_UNAVAILABLE"),
    }
)
OF_COMMANDS = OF_QUERIES | {
    Refused("ALREADY_EXISTS", "REQUEST_REUSED"),
    Refused("RESOURCE_EXHAUSTED", "QUEUE_FULL"),
    Refused("DEADLINE_EXCEEDED", "DEADLINE_PASSED"),
    Refused("UNAVAILABLE", "SHUTTING_DOWN"),
}
OF_BATCHES = OF_QUERIES | {Refused("RESOURCE_EXHAUSTED", "QUEUE_FULL"), Refused("UNAVAILABLE", "SHUTTING_DOWN")}
OF_NO_TENANT = OF_QUERIES - {Refused("NOT_FOUND", "UNKNOWN_TENANT")}
LIKE_NO_OTHERS = {"ExecuteBatch": OF_BATCHES, "CreateTenant": OF_NO_TENANT, "ListTenants": OF_NO_TENANT}
"""What these share, which are no commands, and ask no tenant or many things of it."""

WITHOUT_FIGURES = {"UNKNOWN_PERSON"}
"""Nothing may be said of somebody who is not known."""


# --- the world --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trade() -> Iterator[Trade]:
    with tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        with serving(data, "--data", str(data / "data")) as service, Client(service.address) as client:
            client.approve(at=NOW - 300 * DAY)
            yield Trade(client)


@pytest.fixture(scope="module")
def unread() -> Iterator[Trade]:
    """A service whose facts nobody projects."""
    with tempfile.TemporaryDirectory(prefix="fulfilment-", ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        api = serving(data, "--data", str(data / "data"), "--role", "api")
        with api as service, Client(service.address) as client:
            yield Trade(client)


def refused(trade: Trade, rpc: str, request: Any) -> grpc.RpcError:
    def ask() -> None:
        answered = trade.call(rpc)(request)
        list(answered if RPCS[rpc].streams else ())

    with pytest.raises(grpc.RpcError) as caught:
        ask()
    error: grpc.RpcError = caught.value
    return error


def told(error: Any) -> tuple[str, str, str, dict[str, str]]:
    """The status, the reason, the sentence and the figures."""
    info = error_info(error)
    return error.code().name, info.reason, error.details(), dict(info.metadata)


# --- the table and the protos -----------------------------------------------------------------------


@pytest.mark.parametrize("rpc", RPCS.values(), ids=lambda rpc: rpc.name)
def test_an_rpc_documents_what_it_shares_and_what_the_table_produces(rpc: documented.Rpc):
    shared = LIKE_NO_OTHERS.get(rpc.name, OF_COMMANDS if rpc.is_command else OF_QUERIES)
    assert shared <= rpc.refusals
    assert {each.reason for each in rpc.refusals - shared} == set(TABLE.get(rpc.name, ()))


def test_every_reason_is_documented_with_its_status():
    known = {kind.reason for kind in refusal_classes()}
    for rpc in RPCS.values():
        for refusal in rpc.refusals:
            assert refusal.reason in known, f"{rpc.name} documents {refusal.reason}, which is no refusal"
            code = code_of(Refusal.again(refusal.reason, "", {}))
            assert refusal.status == code_pb2.Code.Name(code), f"{rpc.name} documents {refusal}"


def test_what_is_not_documented_is_told_in_one_sentence():
    with pytest.raises(AssertionError, match="GetOrder was refused with NOT_FOUND / UNKNOWN_CASE, which its comment"):
        documented.require("GetOrder", "NOT_FOUND", "UNKNOWN_CASE")


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"acme/tea": "3"}, "names a figure 'acme/tea'"),
        ({"Left": "3"}, "names a figure 'Left'"),
        ({"l" * 65: "3"}, "names a figure"),
        ({"declared": "15.00 EUR"}, "is text for people"),
        ({"lacking": "asked=5 available=3"}, "is text for people"),
        ({"left_minor": "15.00", "currency": "EUR"}, "is no amount in minor units"),
        ({"left_minor": "1500"}, "and not the currency"),
    ],
)
def test_figures_that_a_program_cannot_read_are_found(figures: dict[str, str], said: str):
    documented.require_figures("REASON", {"line_no": "1", "left_minor": "0", "currency": "EUR"})
    with pytest.raises(AssertionError, match=said):
        documented.require_figures("REASON", figures)


def rows(kind: Callable[[object], bool]) -> list[Any]:
    """The rows of the table whose refusals are produced in such a way."""
    found = [(rpc, reason, how) for rpc, reasons in TABLE.items() for reason, how in reasons.items() if kind(how)]
    return [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in found]


@pytest.mark.parametrize(("rpc", "reason", "scenario"), rows(callable))
def test_what_an_rpc_documents_it_refuses(rpc: str, reason: str, scenario: Scenario, trade: Trade, unread: Trade):
    asked = unread if reason == "PROJECTION_BEHIND" else trade
    request = asked.request(rpc, **scenario(asked))
    head = asked.tell("GetSku").position
    refusal = told(refused(asked, rpc, request))
    status, produced, sentence, figures = refusal
    assert (status, produced) in RPCS[rpc].refusals
    assert produced == reason
    assert sentence
    assert figures or reason in WITHOUT_FIGURES
    if RPCS[rpc].is_command:
        again = told(refused(asked, rpc, request))
        assert again == refusal or produced == again[1] == "BEYOND_THE_LOG", "only where the log ends may change"
        later = asked.client.audit.StreamFacts(audit_pb2.StreamFactsRequest(after=head))
        recorded = [fact.name for part in later for fact in part.facts if fact.request_id == request.context.request_id]
        assert recorded == []


@pytest.mark.parametrize(("rpc", "reason", "elsewhere"), rows(lambda how: isinstance(how, Elsewhere)))
def test_what_no_caller_can_bring_about_is_produced_elsewhere(rpc: str, reason: str, elsewhere: Elsewhere):
    assert_produces(elsewhere.test, reason)


def assert_produces(test: Callable[..., object], reason: str) -> None:
    assert test.__name__.startswith("test_")
    source = inspect.getsource(test)
    assert reason in source or Refusal.by_reason[reason].__name__ in source


# --- what everybody may be refused for --------------------------------------------------------------


@pytest.mark.parametrize("rpc", [rpc.name for rpc in RPCS.values() if rpc.is_command])
def test_a_command_that_says_nothing_is_malformed(trade: Trade, rpc: str):
    whole = trade.request(rpc)
    request = type(whole)(context=whole.context)
    error = refused(trade, rpc, request)
    assert told(error)[:2] == ("INVALID_ARGUMENT", "MALFORMED")
    fields = {*request.DESCRIPTOR.fields_by_name, *request.DESCRIPTOR.oneofs_by_name} - {"context"}
    assert {re.split(r"[.[]", path)[0] for path in fields_of(error)} <= fields


def test_a_query_that_says_nothing_is_malformed(trade: Trade):
    error = refused(trade, "GetOrder", orders_pb2.GetOrderRequest())
    assert (told(error)[:2], fields_of(error)[:1]) == (("INVALID_ARGUMENT", "MALFORMED"), ["order_id"])


@pytest.fixture(scope="module")
def things(trade: Trade) -> Fields:
    """What there is, by the fields that name it."""
    order_id, case_id = trade.sent(), trade.labelled()
    return {
        "order_id": order_id,
        **first_of(order_id),
        **parcel_of(f"shop/{case_id}"),
        "case_id": case_id,
        "supplier_id": trade.supplier(),
        "recovery_id": trade.filed(),
        "inquiry_id": trade.inquiry(),
    }


@pytest.mark.parametrize("rpc", sorted(RPCS.keys() - {"ExecuteBatch"}))
def test_whatever_a_field_holds_is_no_mistake_of_the_service(trade: Trade, things: Fields, rpc: str):
    """It is taken, or refused as documented, which the client sees to."""
    about = {name: value for name, value in things.items() if name in WELL_FORMED.get(rpc, ())}
    for request in edges(trade.request(rpc, **about)):
        if RPCS[rpc].is_command:
            request.context.request_id = fresh()  # type: ignore[attr-defined]
        with suppress(grpc.RpcError):
            answered = trade.call(rpc)(request)
            list(answered if RPCS[rpc].streams else ())


@pytest.mark.parametrize("rpc", ["ConfirmOrder", "GetOrder", "ExecuteBatch"])
def test_a_tenant_that_nobody_created_is_unknown(trade: Trade, rpc: str):
    confirm = trade.request("ConfirmOrder")
    request = trade.request(rpc, **({"commands": [{"confirm_order": confirm}]} if rpc == "ExecuteBatch" else {}))
    with Client(trade.client.address, "nowhere") as client:
        status, reason, _, figures = told(refused(Trade(client), rpc, request))
    assert (status, reason, figures) == ("NOT_FOUND", "UNKNOWN_TENANT", {"tenant": "nowhere"})


def test_a_request_id_is_used_for_one_content_alone(trade: Trade):
    request = trade.request("PlaceOrder")
    trade.call("PlaceOrder")(request)
    request.gift = True
    status, reason, _, figures = told(refused(trade, "PlaceOrder", request))
    assert (status, reason) == ("ALREADY_EXISTS", "REQUEST_REUSED")
    assert figures == {"request_id": request.context.request_id}


PRODUCED_BY: Mapping[str, Callable[..., object]] = {
    "MALFORMED": test_a_command_that_says_nothing_is_malformed,
    "UNKNOWN_TENANT": test_a_tenant_that_nobody_created_is_unknown,
    "REQUEST_REUSED": test_a_request_id_is_used_for_one_content_alone,
    "QUEUE_FULL": test_ledger_engine.test_beyond_the_queue_callers_are_turned_away_at_once,
    "DEADLINE_PASSED": test_ledger_engine.test_a_command_whose_deadline_passed_is_dropped_and_not_remembered,
    "SHUTTING_DOWN": test_ledger_engine.test_draining_answers_all_that_is_queued_and_takes_no_more,
    # A command and a read of the log.
    "STORAGE_UNAVAILABLE": (
        test_ledger_engine.test_while_the_database_is_away_callers_are_told_so_and_a_repeat_succeeds_later
    ),
}


def test_what_everybody_may_be_refused_for_is_produced():
    assert set(PRODUCED_BY) == {each.reason for each in OF_COMMANDS}
    for reason, test in PRODUCED_BY.items():
        assert_produces(test, reason)
