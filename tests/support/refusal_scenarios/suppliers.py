"""What suppliers, their stock and the retailer's own terms are refused for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fulfilment.v1 import admin_pb2, suppliers_pb2
from tests.support.refusal_scenarios.about import Elsewhere, Scenarios, as_it_is, beyond, nobodys, of_supplier
from tests.support.service import stamp
from tests.support.trading import DAY, NOW, Fields, Trade, eur, wanted

FAR_VERSIONS = 10**6
"""More versions than any policy here has."""


def retired_after_all(trade: Trade) -> str:
    supplier_id = trade.proposed()
    trade.send("RetireSupplier", supplier_id=supplier_id)
    return supplier_id


def reserved_more(trade: Trade) -> Fields:
    fields = trade.reserved()
    return {**fields, "items": [wanted(fields["items"][0].sku, 2)]}


def extended(trade: Trade) -> Fields:
    fields = trade.reserved()
    trade.send("ExtendReservation", **fields)
    return {**fields, "expires_at": stamp(NOW + 3 * DAY)}


SUPPLIERS: Scenarios = {
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
    "UpdateSupplier": {"UNKNOWN_SUPPLIER": as_it_is},
    "OfferSku": {
        "UNKNOWN_SUPPLIER": as_it_is,
        "WRONG_STANDING": of_supplier(Trade.retired),
        "UNKNOWN_WAREHOUSE": of_supplier(
            Trade.candidate, offer=suppliers_pb2.Offer(sku="cup", cost=eur(200), warehouse="nowhere")
        ),
    },
    "WithdrawOffer": {"UNKNOWN_SUPPLIER": as_it_is, "SKU_NOT_OFFERED": of_supplier(Trade.candidate)},
    "RefuseDestination": {"UNKNOWN_SUPPLIER": as_it_is},
    "ServeDestination": {"UNKNOWN_SUPPLIER": as_it_is},
    "DescribeSku": {
        "BUNDLE_IN_ITSELF": lambda trade: {
            "sku": "set",
            "parts": suppliers_pb2.BundleParts(parts=[suppliers_pb2.BundlePart(sku="set")]),
        }
    },
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
    "GetSupplierOrder": {"UNKNOWN_SUPPLIER_ORDER": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListSupplierOrders": {
        "UNKNOWN_SUPPLIER": nobodys,
        "PROJECTION_BEHIND": of_supplier(Trade.candidate),
        "BEYOND_THE_LOG": beyond,
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
        "HOLD_EXPIRED": Elsewhere("tests/unit/test_stock.py", "test_an_expired_hold_is_not_extended"),
    },
    "ReleaseReservation": {"UNKNOWN_RESERVATION": as_it_is},
    "GetStock": {"BEYOND_THE_LOG": beyond},
}
