"""What is put right of parcels: those that did not leave, and those that left under other numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.facts import Fact
from ledger.nouns.orders import Shipment, is_confirmed_received
from ledger.nouns.parcels import Parcel, use_of, uses
from tests.support.fulfilment.model import Counted, Out, a_pick
from tests.support.fulfilment.parcels import Parcels


class Corrections(Parcels):
    """The rules of corrections."""

    @precondition(lambda self: self.reported())
    @rule(pick=a_pick)
    def a_parcel_did_not_leave(self, pick: int) -> None:
        order_id, shipment = self.reported()[pick % len(self.reported())]
        order, counted, supplier_order_id = (
            self.scenario.order(order_id),
            self.model[order_id],
            shipment.supplier_order_id,
        )
        use = self.use_with(shipment.number, supplier_order_id)
        mine = self.in_use(order_id, use, supplier_order_id)
        if not mine:
            return  # it is of an earlier use, and the newest one was none
        seen = any(is_confirmed_received(order, each) for each in mine)
        facts = self.giving_scans_back(
            [shipment.number], lambda: self.scenario.void(shipment.number, supplier_order_id)
        )
        assert (facts is None) == seen
        if facts:
            self.take_out(counted, mine, self.key(use))
        for each in mine if facts else ():
            counted.left[supplier_order_id].update(each.by_line)
            counted.gone[supplier_order_id].subtract(each.by_line)
            self.wish_again(counted, each)
            counted.shipped.remove(_told(each))

    @precondition(lambda self: self.reported())
    @rule(pick=a_pick, number=st.integers(0, 5))
    def a_number_was_wrong(self, pick: int, number: int) -> None:
        order_id, shipment = self.reported()[pick % len(self.reported())]
        counted, supplier_order_id = self.model[order_id], shipment.supplier_order_id
        known = self.numbers()
        right = known[number] if number < len(known) else f"P{len(known) + 1}"
        if right == shipment.number:
            return
        use = self.use_with(shipment.number, supplier_order_id)
        mine = self.in_use(order_id, use, supplier_order_id)
        if not mine:
            return
        place = counted.parcels[self.key(use)].place
        facts = self.giving_scans_back(
            [shipment.number, right],
            lambda: self.scenario.correct_number(shipment.number, right, supplier_order_id),
        )
        assert facts, "nothing is refused"
        self.take_out(counted, mine, self.key(use))
        for each in mine:
            self.put_under(order_id, each, place, use, right)
            name, _, units, at = told = _told(each)
            counted.shipped[counted.shipped.index(told)] = (name, right, units, at)

    def reported(self) -> list[tuple[str, Shipment]]:
        return [(order_id, each) for order_id in self.model for each in self.scenario.order(order_id).shipments]

    def use_with(self, number: str, supplier_order_id: str) -> Parcel:
        """The newest use of a number that a supplier order was said to be in."""
        return use_of(self.scenario.parcel(number), supplier_order_id)

    def in_use(self, order_id: str, use: Parcel, supplier_order_id: str) -> list[Shipment]:
        which = (supplier_order_id, ("dhl", use.number, use.epoch))
        return [
            each for each in self.scenario.order(order_id).shipments if (each.supplier_order_id, each.parcel) == which
        ]

    def take_out(self, counted: Counted, shipments: list[Shipment], key: str) -> None:
        """Takes units out of a parcel of the model."""
        out = counted.parcels[key]
        for each in shipments:
            out.by_line = out.by_line - Counter(each.by_line)
        if not self.scenario.order(out.supplier_order_id.rpartition("/")[0]).shipment("dhl", *_parts(key)):
            del counted.parcels[key]

    def wish_again(self, counted: Counted, shipment: Shipment) -> None:
        """What it was too late for is wanted again."""
        for wishes, units in zip((counted.asked, counted.rerouting), shipment.not_cancelled or (), strict=False):
            wishes.setdefault(shipment.supplier_order_id, Counter()).update(units)

    def put_under(self, order_id: str, shipment: Shipment, place: str, was: Parcel, number: str) -> None:
        """Units are where the parcel is under its right number, but for a receipt that was confirmed."""
        counted, order = self.model[order_id], self.scenario.order(order_id)
        same = (number, shipment.supplier_order_id, shipment.by_line)
        found = next(each for each in order.shipments if (each.number, each.supplier_order_id, each.by_line) == same)
        use = next(each for each in uses(self.scenario.parcel(number)) if each.epoch == found.epoch)
        if out := counted.parcels.get(self.key(use)):
            out.by_line += Counter(shipment.by_line)
            return
        by_scan = was.delivered_at is not None and shipment.delivered_at == was.delivered_at
        if by_scan and use.delivered_at != was.delivered_at and not is_confirmed_received(order, shipment):
            place = "shipped"
        counted.parcels[self.key(use)] = Out(shipment.supplier_order_id, Counter(shipment.by_line), place)
        self.follow(use, counted)

    def giving_scans_back(self, numbers: list[str], command: Callable[[], list[Fact]]) -> list[Fact] | None:
        """Runs a command that may give scans from one use of a number to another."""
        known = [each for each in numbers if each in self.numbers()]
        before = {(use.number, use.epoch): use for number in known for use in uses(self.scenario.parcel(number))}
        arrived = {key: [out for out in self.parcels_of(use) if self.came(use, out)] for key, use in before.items()}
        facts = self.attempt(command)
        for use in [use for number in known for use in uses(self.scenario.parcel(number))] if facts else ():
            was = before.get((use.number, use.epoch))
            if was is None or use.voided is not None or use.checkpoints == was.checkpoints:
                continue
            for out in arrived[use.number, use.epoch] if use.delivered_at is None else ():
                out.place = "shipped"
            self.follow(use)
        return facts


def _parts(key: str) -> tuple[str, int]:
    number, _, epoch = key.partition(" epoch ")
    return number, int(epoch)


def _told(shipment: Shipment) -> tuple[str, str, Counter[int], datetime]:
    units: Counter[int] = Counter()
    for by_line in (shipment.by_line, shipment.over):
        units.update({int(n): count for n, count in by_line.items()})
    return (shipment.supplier_order_id, shipment.number, units, shipment.shipped_at)
