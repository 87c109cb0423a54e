"""What the log, reports and the service itself are refused for."""

from __future__ import annotations

from fulfilment.v1 import admin_pb2, audit_pb2, orders_pb2
from tests.support import documented
from tests.support.refusal_scenarios.about import (
    FAR,
    Elsewhere,
    Scenarios,
    as_it_is,
    beyond,
    nobodys,
    of_order,
    of_supplier,
)
from tests.support.service import context
from tests.support.trading import Fields, Trade, fresh


def of_nobody_else(trade: Trade) -> str:
    """An order whose customer has no other, which might be over."""
    return trade.placed(customer=orders_pb2.Customer(email=f"{fresh()}@example.org"))


def reused_erasure(trade: Trade) -> Fields:
    """The id of a request about somebody else."""
    asked_by = context()
    trade.client.admin.ErasePerson(
        admin_pb2.ErasePersonRequest(order_id=trade.placed(), even_if_open=True, asked_by=asked_by)
    )
    return {"order_id": trade.placed(), "asked_by": asked_by}


REPORTS: Scenarios = {
    "GetHistory": {
        "UNKNOWN_ORDER": as_it_is,
        "UNKNOWN_CASE": lambda trade: {"case_id": "nobody"},
        "UNKNOWN_RECOVERY": lambda trade: {"recovery_id": "nobody"},
        "UNKNOWN_SUPPLIER": nobodys,
        "BEYOND_THE_LOG": beyond,
    },
    "GetOrderAsOf": {"UNKNOWN_ORDER": as_it_is, "BEYOND_THE_LOG": lambda trade: {"position": FAR}},
    "StreamFacts": {
        "UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody"},
        "BEYOND_THE_LOG": lambda trade: {"after": FAR},
    },
    "CheckLedger": {"BEYOND_THE_LOG": lambda trade: {"after": FAR}},
    "ExportTables": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "ListReads": {"UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody"}},
    "ExportPerson": {
        "UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody"},
        "UNKNOWN_PERSON": lambda trade: {"email": "nobody@example.org"},
        "PROJECTION_BEHIND": of_order(Trade.placed),
    },
    "GetOrderFile": {
        "UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody", "format": audit_pb2.ORDER_FILE_FORMAT_JSON},
        "PROJECTION_BEHIND": lambda trade: {"order_id": trade.placed(), "format": audit_pb2.ORDER_FILE_FORMAT_JSON},
    },
    "GetPolicy": {"BEYOND_THE_LOG": beyond},
    "ListShippingServices": {"BEYOND_THE_LOG": beyond},
    "ListClocks": {"UNKNOWN_SUPPLIER": nobodys, "BEYOND_THE_LOG": beyond},
    "RebuildProjection": {"UNKNOWN_PROJECTION": as_it_is},
    "CreateTenant": {
        "TOO_MANY_TENANTS": Elsewhere(
            "tests/service/test_service.py", "test_a_database_takes_so_many_tenants_and_those_that_are_there_stay"
        ),
        "NOT_THE_OWNER": Elsewhere(
            "tests/service/test_database_roles.py", "test_a_tenant_is_made_by_the_owner_and_known_at_once"
        ),
    },
    "ErasePerson": {
        "UNKNOWN_ORDER": lambda trade: {"order_id": "shop/nobody"},
        "UNKNOWN_SUPPLIER": nobodys,
        "UNKNOWN_PERSON": as_it_is,
        "PERSON_KEPT": lambda trade: {"order_id": of_nobody_else(trade)},
        "REQUEST_REUSED": reused_erasure,
    },
    "HoldPersonalData": {"UNKNOWN_ORDER": as_it_is},
    **{
        rpc.name: {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond}
        for rpc in documented.rpcs().values()
        if rpc.service == "ReportService"
    },
    **{
        name: {
            "UNKNOWN_SUPPLIER": nobodys,
            "PROJECTION_BEHIND": of_supplier(Trade.candidate),
            "BEYOND_THE_LOG": beyond,
        }
        for name in [
            "GetRates",
            "GetTrend",
            "ListRateCases",
            "GetStatement",
            "ListStatementEntries",
            "ListStockMovements",
        ]
    },
    "FindCustomer": {"PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
    "GetTimeline": {"UNKNOWN_ORDER": as_it_is, "PROJECTION_BEHIND": of_order(Trade.placed), "BEYOND_THE_LOG": beyond},
    "GetTracking": {"UNKNOWN_ORDER": as_it_is, "PROJECTION_BEHIND": as_it_is, "BEYOND_THE_LOG": beyond},
}
