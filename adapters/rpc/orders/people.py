"""Customers and addresses: what of them is sealed, and what stays readable."""

from __future__ import annotations

from typing import Any

import msgspec

from adapters.people.spellings import international, mailbox, of_any_tag, untagged
from adapters.rpc import shapes
from adapters.rpc.commands import Edge
from adapters.rpc.faults import require
from adapters.rpc.sealing import sealed_with
from adapters.rpc.shapes import taken
from fulfilment.v1 import orders_pb2 as pb
from ledger.engine.sealing import PersonKey, placed
from ledger.facts import Sealed
from ledger.nouns import orders
from ledger.terms.customs_territories import compact, telling_postal_code
from ledger.terms.places import Destination

_MOST_ADDRESS_LINES = 20
_MOST_NOTE = 10_000


class Person(msgspec.Struct, frozen=True):
    """A customer and an address: what is sealed, and what stays readable."""

    personal: dict[str, Any]
    destination: Destination
    has_contact: bool
    has_address: bool


def person_of(customer: pb.Customer, address: pb.Address, country: str, note: str = "") -> Person:
    """country is that of the address as it was understood; one that was not stays readable beside the rest."""
    count = len(address.lines)
    require(count <= _MOST_ADDRESS_LINES, "ship_to.lines", f"{count} lines, {_MOST_ADDRESS_LINES} at most")
    postal_code = taken(address.postal_code, "ship_to.postal_code")
    personal: dict[str, Any] = {
        "name": taken(customer.name, "customer.name"),
        "email": taken(customer.email, "customer.email"),
        "phone": taken(customer.phone, "customer.phone"),
        "lines": [taken(line, f"ship_to.lines[{index}]") for index, line in enumerate(address.lines)],
        "city": taken(address.city, "ship_to.city"),
        "postal_code": postal_code,
        "country": "" if country else taken(address.country, "ship_to.country"),
        "note": shapes.taken_lines(note, "note", _MOST_NOTE),
    }
    destination = Destination(country, taken(address.region, "ship_to.region"), _readable(postal_code, country))
    return Person(
        {name: value for name, value in personal.items() if value},
        destination,
        has_contact=bool(personal["email"] or personal["phone"]),
        has_address=bool(country and (personal["city"] or any(personal["lines"]))),
    )


def _readable(postal_code: str, country: str) -> str:
    """Half of a postal code, and never more than three characters: it finds a district but no house.

    More of it is readable where it takes more to tell the customs territory: all of that of Heligoland, or of Livigno.
    """
    code = compact(postal_code)
    telling, half = telling_postal_code(country, code), code[: min(3, len(code) // 2)]
    return telling if len(telling) > len(half) else half


def new_person(
    customer: pb.Customer, address: pb.Address, order_id: str, edge: Edge
) -> tuple[Person, Sealed | None, tuple[PersonKey, ...]]:
    person = person_of(customer, address, shapes.country(address.country, "ship_to.country", edge.warnings))
    return (person, *sealed_person(person, order_id, edge))


def sealed_person(person: Person, order_id: str, edge: Edge) -> tuple[Sealed | None, tuple[PersonKey, ...]]:
    """The person sealed; by e-mail and phone it is found for as long as its key is there."""
    sealed, keys = sealed_with(edge.sealer, person.personal, orders.anchor(order_id), placed(order_id, "customer"))
    if not person.has_contact:
        return sealed, keys
    get, country = person.personal.get, person.destination.country
    address, phone = mailbox(get("email", "")), international(get("phone", ""), country)
    found_by = [key.found_by(address, phone, order_id) for key in keys]
    if untagged(address):
        # A key of nothing: by its contact the person is found whatever the tag is, for as long as it is there.
        _, key = edge.sealer.seal({}, orders.anchor(order_id), placed(order_id, "tag"))
        found_by.append(key.found_by(of_any_tag(address), "", order_id))
    return sealed, tuple(found_by)
