"""What is a supplier's own: what a client of the role ``supplier`` may name.

``OWN`` is the one table: by RPC of the role, what in its request says whose it is. Whatever is another's is answered as
if it were not there. A command is checked within its decision, against the streams that it is decided by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from adapters.rpc import faults, shapes
from adapters.rpc.calls import Call, rpc_of
from adapters.rpc.shapes import plain_id
from ledger.engine.commands import Answer, Receipt
from ledger.facts import Change, order_of
from ledger.nouns import inquiries, orders, parcels, stock_ups
from ledger.nouns.inquiries import UnknownInquiry
from ledger.nouns.orders.supplier_orders import SupplierOrder, UnknownLine, UnknownSupplierOrder
from ledger.nouns.parcels import Parcel, UnknownParcel, UnknownShipment
from ledger.nouns.stock_ups import UnknownStockUp
from ledger.nouns.suppliers import UnknownSupplier
from ledger.terms.parties import Party
from ledger.view import Decide, View

A = TypeVar("A", bound=Answer)
ROLE = "supplier"
NOBODY = "/"
"""No supplier has this id."""

Check = Callable[[View], None]
"""Refuses what is another supplier's."""


class Own(NamedTuple):
    """How an RPC of the role names a supplier's own."""

    named_by: str
    """For people."""
    check: Callable[[Any, str], Check] | None = None
    """Of its request and the supplier; None where its answer is narrowed, or holds the caller's own anyway."""


def _supplier_order(request: Any, supplier_id: str) -> Check:
    supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)

    def check(view: View) -> None:
        _require_supplier_order(view, supplier_order_id, supplier_id)

    return check


def _require_supplier_order(view: View, supplier_order_id: str, supplier_id: str) -> SupplierOrder:
    order = orders.find(view, order_of(supplier_order_id))
    found = order.supplier_orders.get(supplier_order_id) if order is not None else None
    if found is None or found.supplier_id != supplier_id:
        raise UnknownSupplierOrder(supplier_order_id)
    return found


def _shipped(request: Any, supplier_id: str) -> Check:
    """Lines that it was never given are others': what left beside its own it names by SKU."""
    supplier_order_id = shapes.supplier_order_id(request.supplier_order_id)

    def check(view: View) -> None:
        found = _require_supplier_order(view, supplier_order_id, supplier_id)
        for line in request.lines:
            if line.line_no not in found.shares:
                raise UnknownLine(f"supplier order {supplier_order_id}", line.line_no)

    return check


def _parcel(request: Any, supplier_id: str) -> Check:
    carrier, number = shapes.parcel(request)
    named = shapes.supplier_order_id(request.supplier_order_id) if request.supplier_order_id else ""

    def check(view: View) -> None:
        if named:
            _require_supplier_order(view, named, supplier_id)
        use = _use_of(view, carrier, number, named)
        # All that is in a parcel is one supplier's.
        if use is None or use.supplier_id != supplier_id:
            raise UnknownParcel(carrier, number)

    return check


def _use_of(view: View, carrier: str, number: str, supplier_order_id: str) -> Parcel | None:
    """The use of a number that is meant, or of the first mile's where it is the last mile's."""
    parcel = parcels.find(view, carrier, number)
    if parcel is None:
        return None
    try:
        use = parcels.use_of(parcel, supplier_order_id)
    except UnknownShipment:
        return None
    if use.last_mile_of is None:
        return use
    first = parcels.find(view, *use.last_mile_of[:2])
    return next((each for each in parcels.uses(first) if each.epoch == use.last_mile_of[2]), None)


def _item(request: Any, supplier_id: str) -> Check:
    named = plain_id(request.item.supplier_id, "item.supplier_id")

    def check(_: View) -> None:
        if named != supplier_id:
            raise UnknownSupplier(named)

    return check


def _stock_up(request: Any, supplier_id: str) -> Check:
    stock_up_id = plain_id(request.stock_up_id, "stock_up_id")

    def check(view: View) -> None:
        found = stock_ups.find(view, stock_up_id)
        if found is None or found.asked.supplier_id != supplier_id:
            raise UnknownStockUp(stock_up_id)

    return check


def _inquiry(request: Any, supplier_id: str) -> Check:
    inquiry_id = plain_id(request.inquiry_id, "inquiry_id")

    def check(view: View) -> None:
        found = inquiries.find(view, inquiry_id)
        if found is None or found.asked.supplier_id != supplier_id or found.asked.asked_of is not Party.SUPPLIER:
            raise UnknownInquiry(inquiry_id)

    return check


_OF_SUPPLIER_ORDER = Own("`supplier_order_id`", _supplier_order)
_BY_FILTER = Own("`supplier_id`, which narrows the list: its own if it is left empty")

OWN: Mapping[str, Own] = {
    "ListTenants": Own("nothing: it lists the tenants that are granted"),
    "ExecuteBatch": Own("each command in it, as alone"),
    "ListSupplierOrders": _BY_FILTER,
    "GetSupplierOrder": _OF_SUPPLIER_ORDER,
    "AcknowledgeSupplierOrder": _OF_SUPPLIER_ORDER,
    "PackSupplierOrder": _OF_SUPPLIER_ORDER,
    "ShipSupplierOrder": Own("`supplier_order_id`, and its `lines`", _shipped),
    "AnswerCancelRequest": _OF_SUPPLIER_ORDER,
    "CorrectTracking": Own("`carrier` and `tracking_number`, and `supplier_order_id` if it is given", _parcel),
    "RecordFeed": Own("`item.supplier_id`", _item),
    "ListStockUps": _BY_FILTER,
    "GetStockUp": Own("`stock_up_id`", _stock_up),
    "AnswerStockUp": Own("`stock_up_id`", _stock_up),
    "ListInquiries": _BY_FILTER,
    "GetInquiry": Own("`inquiry_id`, of what the supplier is asked", _inquiry),
    "AnswerInquiry": Own("`inquiry_id`, of what the supplier is asked", _inquiry),
}
"""By RPC of the role."""


def is_supplier(call: Call) -> bool:
    return call.caller.role == ROLE


def decided(decide: Decide, request: Any, call: Call) -> Decide:
    """The decision; for a supplier one about what is its own alone."""
    if not is_supplier(call):
        return decide
    check = _check(rpc_of(request), request, call)

    def own(view: View) -> Sequence[Change]:
        check(view)
        return decide(view)

    return own


def require(view: View, request: Any, call: Call) -> None:
    """Refuses a supplier what is another's."""
    if is_supplier(call):
        _check(call.rpc, request, call)(view)


def _check(rpc: str, request: Any, call: Call) -> Check:
    check = OWN[rpc].check
    assert check is not None, f"what {rpc} names is nobody's"
    return check(request, call.caller.supplier or NOBODY)


def told(answer: A, call: Call) -> A:
    """What became of a command. A supplier gets no result, which shows all suppliers of an order, and no warning that
    names an order: it may be another's."""
    if not is_supplier(call) or not isinstance(answer, Receipt):
        return answer
    return replace(answer, subject=None, warnings=tuple(each for each in answer.warnings if "/" not in each))


def supplier_asked(supplier_id: str, call: Call) -> str:
    """Of which supplier a list is: a supplier has its own alone, and of any other an empty one."""
    if not is_supplier(call):
        return supplier_id
    # A read model as of a moment takes the log, a processor, and the place of one that others asked for.
    faults.require(call.as_of is None, "as_of", "is not for suppliers, who may ask for one thing as of a moment")
    own = call.caller.supplier or NOBODY
    return own if supplier_id in ("", own) else NOBODY
