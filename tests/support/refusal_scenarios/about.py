"""Ways in which a request is about something, so that it is refused for one reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from tests.support.trading import Fields, Trade, first_of, parcel_of

FAR = 10**12
"""A position that no log here reaches."""
Scenario = Callable[[Trade], Fields]
MakeId = Callable[[Trade], str]


class Elsewhere(NamedTuple):
    """The test that produces what no caller can bring about at will."""

    file: str
    test: str


Scenarios = Mapping[str, Mapping[str, Scenario | Elsewhere]]
"""By RPC and reason: what makes it so."""


def as_it_is(trade: Trade) -> Fields:
    """About nothing that there is."""
    return {}


def nobodys(trade: Trade) -> Fields:
    """Of a supplier that is not registered."""
    return {"supplier_id": "nobody"}


def beyond(trade: Trade) -> Fields:
    """At a position that the log has not reached."""
    return {"at_least": FAR}


_MADE: WeakKeyDictionary[Trade, dict[MakeId, str]] = WeakKeyDictionary()


def once(trade: Trade, make: MakeId) -> str:
    """What this makes, for all that are refused about it: a refusal changes nothing."""
    made = _MADE.setdefault(trade, {})
    if make not in made:
        made[make] = make(trade)
    return made[make]


def named(field: str) -> Callable[..., Scenario]:
    """About the id that a method of Trade returns, in this field."""

    def about(make: MakeId, **more: Any) -> Scenario:
        return lambda trade: {field: once(trade, make), **more}

    return about


of_order, of_supplier, of_recovery = named("order_id"), named("supplier_id"), named("recovery_id")
of_case, of_inquiry = named("case_id"), named("inquiry_id")
of_message, of_task = named("message_id"), named("task_id")


def of_first(make: MakeId, **more: Any) -> Scenario:
    """About the first supplier order of an order."""
    return lambda trade: {**first_of(once(trade, make)), **more}


def of_parcel(make: MakeId) -> Scenario:
    return lambda trade: parcel_of(once(trade, make))


def no_such_supplier_order(trade: Trade) -> Fields:
    order_id = once(trade, Trade.placed)
    return {"order_id": order_id, "supplier_order_id": f"{order_id}/9"}


def first_that_left(trade: Trade) -> Fields:
    order_id = once(trade, Trade.shipped)
    return {"order_id": order_id, **first_of(order_id)}


def ninth_of(trade: Trade) -> Fields:
    return {"supplier_order_id": f"{once(trade, Trade.placed)}/9"}
