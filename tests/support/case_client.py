"""Cases as a client of the service works on them."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from fulfilment.v1 import cases_pb2, common_pb2, parcels_pb2, supplier_orders_pb2
from tests.support.contract import request_classes
from tests.support.service import Client, context, stamp

PDF = b"%PDF-1.4\n\x00\xff\r\n.\n" + bytes(range(256))
"""A label with every byte that there is, and with a line of one dot, which ends a mail."""
PNG = b"\x89PNG\r\n\x1a\n" + b"a photo of a broken cup"


class Work:
    """After-sales as a client does it, for one case of one order."""

    def __init__(self, client: Client, number: str, units: int = 2, **more: Any) -> None:
        self.client, self.order_id, self.case_id = client, f"shop/{number}", f"case-{number}"
        self.units = units
        client.place(number, units=units, **more)
        self.arrives(self.order_id, number.upper())

    def arrives(self, order_id: str, number: str) -> None:
        supplier_order_id = f"{order_id}/1"
        client = self.client
        client.orders.SendSupplierOrder(
            supplier_orders_pb2.SendSupplierOrderRequest(context=context(), supplier_order_id=supplier_order_id)
        )
        client.orders.ShipSupplierOrder(
            supplier_orders_pb2.ShipSupplierOrderRequest(
                context=context(), supplier_order_id=supplier_order_id, carrier="dhl", tracking_number=number
            )
        )
        scan = parcels_pb2.Checkpoint(at=stamp(datetime.now(UTC)), status=parcels_pb2.PARCEL_STATUS_DELIVERED)
        client.parcels.RecordCheckpoints(
            parcels_pb2.RecordCheckpointsRequest(
                context=context(), carrier="dhl", tracking_number=number, checkpoints=[scan]
            )
        )

    def request(self, rpc: str, **fields: Any) -> Any:
        return request_classes()[rpc](context=context(), case_id=self.case_id, **fields)

    def send(self, rpc: str, **fields: Any) -> Any:
        return getattr(self.client.cases, rpc)(self.request(rpc, **fields))

    def opens(self, **more: Any) -> Any:
        known = {
            "order_id": self.order_id,
            "reason": cases_pb2.CASE_REASON_DAMAGED,
            "lines": [common_pb2.LineUnits(line_no=1, units=self.units)],
            "note": "The cup of Ann Example came broken",
        }
        return self.send("OpenCase", **{**known, **more})

    def rules(self, remedy: int, **more: Any) -> None:
        self.send("AddEvidence", type=cases_pb2.EVIDENCE_TYPE_PNG, data=PNG)
        self.send("StartReview")
        self.send(
            "RuleLiability",
            liable=common_pb2.PARTY_SUPPLIER,
            reasons=["broken_in_box"],
            evidence_sha256=[sha256(PNG).hexdigest()],
            note="Ann sent a photo",
        )
        self.send("ApproveRemedy", remedy=remedy, **more)

    def case(self, **more: Any) -> Any:
        return self.client.cases.GetCase(cases_pb2.GetCaseRequest(case_id=self.case_id, **more)).case
