"""What changed of an order: as its shop told it before, as it tells it now, and as the ledger has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from adapters.edges import reading
from adapters.edges.meaning import NotUnderstood
from adapters.shops.known import known_lines
from fulfilment.v1 import order_money_pb2, orders_pb2
from ledger.terms.places import COUNTRIES, OTHER_CODES

ENDED = frozenset(
    {orders_pb2.ORDER_STATUS_CANCELLED, orders_pb2.ORDER_STATUS_COMPLETED, orders_pb2.ORDER_STATUS_CLOSED}
)
"""Nothing of such an order can be changed."""
NOTHING_LEFT = frozenset({"ORDER_CLOSED", "NOTHING_TO_CANCEL"})
"""Refusals of a cancellation that are as good as done: nothing was left to cancel."""


class Changed(NamedTuple):
    """A command that a change asks for, and in which respect it is about the order."""

    aspect: str
    request: Any


class OrderDifference(NamedTuple):
    """An order that the ledger has, and its shop's word as it would be placed with: now and, where known, before."""

    there: orders_pb2.Order
    now: orders_pb2.PlaceOrderRequest
    before: orders_pb2.PlaceOrderRequest | None
    at: datetime

    def commands(self) -> Iterator[Changed]:
        """Money first, because a change may be paid for. Raises NotUnderstood where a person has to look."""
        yield from self._payments()
        if self.there.status not in ENDED:
            yield from self._sold()
            yield from self._address()

    def _payments(self) -> Iterator[Changed]:
        known = {(each.kind, each.payment_id) for each in self.there.payments}
        moved = [each for each in self.now.payments if (each.kind, each.payment_id) not in known]
        request = orders_pb2.RecordPaymentRequest(order_id=self.there.order_id, payments=moved)
        said = self.before.payment if self.before is not None else self.there.payment
        if not self.now.payments and self.now.payment and self.now.payment != said:
            request.payment = self.now.payment
        if moved or request.payment:
            request.at.CopyFrom(reading.stamp(self.at))
            yield Changed("/payment", request)

    def _sold(self) -> Iterator[Changed]:
        """Lines and charges."""
        if self.before is not None and _sold(self.before) == _sold(self.now):
            return
        lines = list(self._numbered())
        if is_as_known(self.there, lines, self.now.charges):
            return
        request = orders_pb2.AmendOrderRequest(
            order_id=self.there.order_id, lines=lines, charges=self.now.charges, reason="shop_edit"
        )
        request.at.CopyFrom(reading.stamp(self.at))
        yield Changed("/lines", request)

    def _numbered(self) -> Iterator[orders_pb2.OrderLine]:
        numbers = line_numbers(self.there, [(line.channel_line_id, line.sku) for line in self.now.lines])
        for line, line_no in zip(self.now.lines, numbers, strict=True):
            numbered = orders_pb2.OrderLine()
            numbered.CopyFrom(line)
            numbered.line_no = line_no
            yield numbered

    def _address(self) -> Iterator[Changed]:
        before = (self.before.customer, self.before.ship_to) if self.before is not None else None
        request = address_change(self.there, before, (self.now.customer, self.now.ship_to), self.at)
        if request is None:
            return
        if not _is_usable(request.customer, request.ship_to):
            raise NotUnderstood("the address changed, and the new one lacks a contact, a country, or a street and town")
        yield Changed("/address", request)


def address_change(
    there: orders_pb2.Order,
    before: tuple[orders_pb2.Customer, orders_pb2.Address] | None,
    now: tuple[orders_pb2.Customer, orders_pb2.Address],
    at: datetime,
) -> orders_pb2.ChangeAddressRequest | None:
    """Where it goes now, if that differs from what was told before or, where that is not known, from what is shown."""
    customer, ship_to = now
    known = there.ship_to
    if before == now or (before is None and (known.country, known.region) == (ship_to.country, ship_to.region)):
        return None
    request = orders_pb2.ChangeAddressRequest(order_id=there.order_id, customer=customer, ship_to=ship_to)
    request.at.CopyFrom(reading.stamp(at))
    return request


def _is_usable(customer: orders_pb2.Customer, address: orders_pb2.Address) -> bool:
    """Whether the ledger can send what is under way to it; a new order would wait for what lacks."""
    country = OTHER_CODES.get(address.country, address.country)
    where = any(text.strip() for text in (address.city, *address.lines))
    return bool((customer.email.strip() or customer.phone.strip()) and country in COUNTRIES and where)


def line_numbers(there: orders_pb2.Order, lines: Sequence[tuple[str, str]]) -> list[int]:
    """The ledger's number of each line of the shop, which is its own id of it and its SKU; new ones stand behind.

    Of two with one SKU each keeps its own by the id. One that was placed without an id, or under one that the shop has
    no more, is known by its SKU.
    """
    known = known_lines(there)
    ids = {line_id for line_id, _ in lines}
    of_id = {each.line_id: each for each in known if each.line_id}
    free: dict[str, list[int]] = {}
    for each in known:
        if each.line_id not in ids or not each.line_id:
            free.setdefault(each.sku, []).append(each.line_no)
    behind = max([0, *(state.line.line_no for state in there.lines), *(each.line_no for each in known)])
    found = []
    for line_id, sku in lines:
        same = of_id.get(line_id)
        if same is not None and sku in ("", same.sku):
            found.append(same.line_no)
        elif free.get(sku):
            found.append(free[sku].pop(0))
        else:
            behind += 1
            found.append(behind)
    return found


def _sold(placed: orders_pb2.PlaceOrderRequest) -> list[bytes]:
    return [each.SerializeToString(deterministic=True) for each in (*placed.lines, *placed.charges)]


def is_as_known(
    there: orders_pb2.Order, lines: Iterable[orders_pb2.OrderLine], charges: Iterable[order_money_pb2.Charge]
) -> bool:
    """Whether the ledger has it so already, such as because it told the shop."""
    known = {each.line_no: (each.wanted, each.wanted_minor) for each in known_lines(there) if each.wanted}
    paid = {each.charge_id: each.amount_minor for each in there.charges}
    return known == {each.line_no: (each.quantity, _cost(each)) for each in lines} and paid == {
        each.charge_id: each.amount_minor for each in charges
    }


def _cost(line: orders_pb2.OrderLine) -> int:
    return line.total_minor if line.HasField("total_minor") else line.quantity * line.unit_price_minor
