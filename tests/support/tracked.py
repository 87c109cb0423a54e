"""Orders as customers see them on the tracking page: each in a state of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from fulfilment.v1 import (
    admin_pb2,
    common_pb2,
    orders_pb2,
    parcels_pb2,
    supplier_orders_pb2,
    tracking_links_pb2,
)
from tests.support.service import Client, context, stamp

BRAND = admin_pb2.Brand(
    channel="shop",
    name="Brook & Sons",
    colour="#a1502d",
    signature=["Brook & Sons Ltd", "1 Mill Lane, Leeds"],
    reply_to="help@brook.example",
    tracking_site="https://track.brook.example",
)
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DHL, YUN = "00340434161094042557", "YT2612400701234567"
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\u202e"


class TrackedShop:
    """Places orders and lets things happen to them."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def agree(self, brand: admin_pb2.Brand = BRAND) -> None:
        policy = client_policy(self.client)
        del policy.brands[:]
        policy.brands.append(brand)
        self.client.admin.AgreePolicy(admin_pb2.AgreePolicyRequest(context=context(), policy=policy))

    def placed(self, number: str, *titles: str, quantity: int = 1, **more: Any) -> str:
        lines = [
            orders_pb2.OrderLine(
                sku=f"{number}-{n}", title=title, quantity=quantity, unit_price_minor=990, supplier_id="acme"
            )
            for n, title in enumerate(titles or ("Tea",), 1)
        ]
        placed_at = stamp(NOW - 9 * DAY)
        self.client.place(number, lines=lines, placed_at=placed_at, promised_by=stamp(NOW + 6 * DAY), **more)
        sent = supplier_orders_pb2.SendSupplierOrderRequest(
            context=context(), supplier_order_id=f"shop/{number}/1", at=stamp(NOW - 8 * DAY)
        )
        self.client.orders.SendSupplierOrder(sent)
        return f"shop/{number}"

    def ship(self, order_id: str, carrier: str, number: str, *lines: int, units: int = 1, ago: timedelta = 7 * DAY):
        request = supplier_orders_pb2.ShipSupplierOrderRequest(
            context=context(),
            supplier_order_id=f"{order_id}/1",
            carrier=carrier,
            tracking_number=number,
            lines=[common_pb2.LineUnits(line_no=line_no, units=units) for line_no in lines],
            at=stamp(NOW - ago),
        )
        self.client.orders.ShipSupplierOrder(request)

    def scan(self, carrier: str, number: str, *checkpoints: parcels_pb2.Checkpoint) -> None:
        self.client.parcels.RecordCheckpoints(
            parcels_pb2.RecordCheckpointsRequest(
                context=context(), carrier=carrier, tracking_number=number, checkpoints=checkpoints
            )
        )

    def path(self, order_id: str) -> str:
        request = tracking_links_pb2.GetTrackingLinkRequest(order_id=order_id)
        return self.client.tracking_links.GetTrackingLink(request).path

    # --- stories ---

    def on_its_way(self, number: str, **more: Any) -> str:
        """Two parcels, of which one went on with another carrier, and something that is still to come."""
        order_id = self.placed(number, "Sencha tea, 250 g", "Cast-iron teapot, black", "Bamboo whisk", **more)
        self.ship(order_id, "dhl", f"{number}{DHL}", 1)
        self.ship(order_id, "yunexpress", f"{number}{YUN}", 2)
        self.scan("dhl", f"{number}{DHL}", *journey())
        self.scan("yunexpress", f"{number}{YUN}", *journey(2))
        hand_over = parcels_pb2.HandOverParcelRequest(
            context=context(),
            carrier="yunexpress",
            tracking_number=f"{number}{YUN}",
            last_mile_carrier="usps",
            last_mile_tracking_number=f"92{number}",
            at=stamp(NOW - 2 * DAY),
        )
        self.client.parcels.HandOverParcel(hand_over)
        return order_id

    def held(self, number: str, asks: Any = parcels_pb2.CUSTOMS_ASK_PAYMENT) -> str:
        order_id = self.placed(number, "Sencha tea, 250 g")
        self.ship(order_id, "dhl", f"{number}{DHL}")
        hold = scan(1, parcels_pb2.PARCEL_STATUS_CUSTOMS_HELD, "Leipzig", "DE", customs_asks=asks)
        if asks:
            hold.customs_answer_by.CopyFrom(stamp(NOW + 5 * DAY))
        self.scan("dhl", f"{number}{DHL}", *journey(3), hold)
        return order_id

    def delivered(self, number: str, *titles: str, quantity: int = 1, **more: Any) -> str:
        order_id = self.placed(number, *(titles or ("Sencha tea, 250 g",)), quantity=quantity, **more)
        self.ship(order_id, "dhl", f"{number}{DHL}", *range(1, len(titles) + 1), units=quantity)
        self.scan("dhl", f"{number}{DHL}", *journey(), scan(1, parcels_pb2.PARCEL_STATUS_DELIVERED, "Berlin", "DE"))
        return order_id


def client_policy(client: Client) -> admin_pb2.Policy:
    return client.admin.GetPolicy(admin_pb2.GetPolicyRequest()).in_force.policy


def scan(days_ago: float, status: Any, city: str = "", country: str = "", **more: Any) -> parcels_pb2.Checkpoint:
    return parcels_pb2.Checkpoint(
        at=stamp(NOW - days_ago * DAY), status=status, city=city, country=country, message="to Ann Example", **more
    )


def journey(steps: int = 9) -> Iterable[parcels_pb2.Checkpoint]:
    """From the supplier to the customer's country."""
    found = [
        scan(6.5, parcels_pb2.PARCEL_STATUS_REGISTERED, "Shenzhen", "CN"),
        scan(6, parcels_pb2.PARCEL_STATUS_IN_TRANSIT, "Shenzhen", "CN"),
        scan(4.5, parcels_pb2.PARCEL_STATUS_IN_TRANSIT, "Guangzhou", "CN"),
        scan(3, parcels_pb2.PARCEL_STATUS_CUSTOMS_PROCESSING, "Leipzig", "DE"),
        scan(2.2, parcels_pb2.PARCEL_STATUS_IN_TRANSIT, "Leipzig", "DE", expected_by=stamp(NOW + 2 * DAY)),
    ]
    return found[:steps]
