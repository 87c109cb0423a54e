"""What carriers and customers say of parcels."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.nouns.orders import is_confirmed_received
from ledger.nouns.parcels import Parcel, ParcelStatus, uses
from tests.support.fulfilment.machine import Machine
from tests.support.fulfilment.model import Counted, Out, a_pick


class Parcels(Machine):
    """The rules of parcels."""

    @precondition(lambda self: len(self.numbers()) < 6)
    @rule()
    def a_carrier_announces(self) -> None:
        number = f"P{len(self.numbers()) + 1}"
        self.attempt(lambda: self.scenario.announce(number))

    @precondition(lambda self: self.numbers())
    @rule(
        pick=a_pick,
        status=st.sampled_from(
            [
                ParcelStatus.IN_TRANSIT,
                ParcelStatus.DELIVERED,
                ParcelStatus.DELIVERED,
                ParcelStatus.LOST,
                ParcelStatus.RETURNED,
            ]
        ),
        hours_ago=st.sampled_from([-2, 0, 1, 40, 4000]),
    )
    def a_carrier_scans(self, pick: int, status: ParcelStatus, hours_ago: int) -> None:
        number, at = self.a_number(pick), self.scenario.now - timedelta(hours=hours_ago)
        before = list(uses(self.scenario.parcel(number)))
        arrived = [[out for out in self.parcels_of(use) if self.came(use, out)] for use in before]
        if self.attempt(lambda: self.scenario.scan(status, at, number)):
            for was, use, outs in zip(before, uses(self.scenario.parcel(number)), arrived, strict=True):
                for out in outs if use.delivered_at is None else ():
                    out.place = "shipped"  # the delivery was that to the sender
                if use is not was:
                    self.follow(use)

    @precondition(lambda self: any(counted.parcels for counted in self.model.values()))
    @rule(pick=a_pick)
    def a_parcel_comes_back(self, pick: int) -> None:
        keys = [key for counted in self.model.values() for key in counted.parcels]
        number = keys[pick % len(keys)].partition(" epoch ")[0]
        self.a_carrier_scans(self.numbers().index(number), ParcelStatus.RETURNED, hours_ago=0)

    def came(self, use: Parcel, out: Out) -> bool:
        """Whether its order has the parcel delivered by its scan, and no receipt was confirmed since."""
        order = self.scenario.order(out.supplier_order_id.rpartition("/")[0])
        shipment = order.shipment("dhl", use.number, use.epoch)
        if shipment is None or use.delivered_at is None or is_confirmed_received(order, shipment):
            return False
        return shipment.delivered_at == use.delivered_at

    @precondition(lambda self: self.numbers())
    @rule(pick=a_pick)
    def a_delivery_is_disputed(self, pick: int) -> None:
        number = self.a_number(pick)
        if self.attempt(lambda: self.scenario.dispute(number)):
            for out in self.parcels_of(self.scenario.parcel(number)):
                out.place = "shipped" if out.place == "delivered" else out.place

    def key(self, use: Parcel) -> str:
        return f"{use.number} epoch {use.epoch}"

    def parcels_of(self, use: Parcel) -> list[Out]:
        key = self.key(use)
        return [each.parcels[key] for each in self.model.values() if key in each.parcels]

    def follow(self, use: Parcel, of: Counted | None = None) -> None:
        """Units are where their parcel is; what was delivered stays so until somebody disputes it."""
        for out in self.parcels_of(use) if of is None else [of.parcels[self.key(use)]]:
            if use.delivered_at is not None:
                out.place = "delivered"
            elif out.place != "delivered":
                ends = {ParcelStatus.LOST: "lost", ParcelStatus.RETURNED: "returned"}
                out.place = ends.get(use.status, "shipped")

    @rule(pick=a_pick)
    def a_receipt_is_confirmed(self, pick: int) -> None:
        order_id = self.an_order(pick)
        parcels = self.model[order_id].parcels
        came_back = [key for key, out in parcels.items() if out.place != "delivered" and self.came_back(key)]
        facts = self.attempt(lambda: self.scenario.receive(order_id))
        for key, out in parcels.items() if facts else ():
            out.place = out.place if key in came_back else "delivered"

    def came_back(self, key: str) -> bool:
        number, _, epoch = key.partition(" epoch ")
        return any(
            use.epoch == int(epoch) and use.status is ParcelStatus.RETURNED
            for use in uses(self.scenario.parcel(number))
        )
