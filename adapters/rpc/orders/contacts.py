"""Another e-mail address or phone number of a customer: the person is sealed anew with it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from adapters.rpc import shapes
from adapters.rpc.commands import Ask, Edge
from adapters.rpc.faults import require
from adapters.rpc.orders.people import Person, sealed_person
from adapters.rpc.shapes import happened, taken
from fulfilment.v1 import orders_pb2 as pb
from ledger.decisions import intake
from ledger.engine.sealing import StoredKey, placed
from ledger.engine.statements import in_schema
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.nouns.orders import Order
from ledger.terms.places import Destination
from projections.machine.reads import Where, state_now

_KEY = "SELECT subject, wrapped, epoch FROM {schema}.ledger_keys WHERE key_id = %s AND wrapped IS NOT NULL"


class _Known(NamedTuple):
    """A customer as it was sealed, and what opens it; no key once the person was erased."""

    customer: Sealed
    sealed_for: str
    key: StoredKey | None
    destination: Destination


async def look_at_customer(request: pb.ChangeAddressRequest, where: Where, now: datetime) -> _Known | None:
    """Whom the news is added to, if it is not of the whole person."""
    if request.HasField("ship_to"):
        return None
    async with where.pool.connection() as connection:
        order: Order | None = await state_now(connection, where.schema, orders.NOUN, orders.stream(request.order_id))
        if order is None or order.customer is None:
            return None
        query, asked = in_schema(_KEY, where.schema), (order.customer.key_id,)
        row = await (await connection.execute(query, asked)).fetchone()
    return _Known(order.customer, order.sealed_for, StoredKey._make(row) if row else None, order.destination)


def change_contact(request: pb.ChangeAddressRequest, edge: Edge) -> Ask:
    """What is given replaces what was known; all else of the person stays."""
    order_id, at = shapes.order_id(request.order_id), happened(request, edge.now)
    customer = request.customer
    given = {name: taken(getattr(customer, name), f"customer.{name}") for name in ("name", "email", "phone")}
    require(bool(given["email"] or given["phone"]), "customer", "is required with an e-mail address or a phone number")
    personal = _opened(edge) | {name: value for name, value in given.items() if value}
    destination = edge.seen.destination if edge.seen is not None else Destination()
    person = Person(personal, destination, has_contact=True, has_address=False)
    sealed, keys = sealed_person(person, order_id, edge)
    assert sealed is not None, "a contact is something to seal"
    digest = edge.sealer.digest(customer.SerializeToString())
    changed = orders.ContactChanged(order_id, sealed, at, digest)
    known = edge.seen.customer if edge.seen is not None else None
    return Ask(lambda view: intake.change_contact(view, changed, known, edge.now), (orders.stream(order_id),), keys)


def _opened(edge: Edge) -> dict[str, Any]:
    known: _Known | None = edge.seen
    if known is None or known.key is None:
        return {}
    return edge.sealer.unseal(known.customer, known.key, placed(known.sealed_for, "customer"))
