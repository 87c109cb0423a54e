"""Erasing a person: where it is known from, how much is kept of it, and the command that destroys the keys of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from adapters.mail.addresses import addresses_in
from adapters.people import contacts
from adapters.people.contacts import Held, Spelling
from adapters.people.spellings import mailbox, phone_spellings, untagged
from adapters.rpc import shapes
from adapters.streams import read, reading
from adapters.tenants import Tenant
from fulfilment.v1 import admin_pb2 as pb
from ledger.decisions import erasing
from ledger.decisions.erasing import Belongings, Parts
from ledger.engine.sealing import Sealer, TenantSealer, Unreadable, placed
from ledger.engine.statements import in_schema
from ledger.nouns import orders, suppliers
from ledger.nouns.orders import Order
from ledger.nouns.suppliers import Supplier
from ledger.refusals import Malformed
from ledger.view import View

_MOST_CHARACTERS = 1000
_LEAST_DIGITS = 7
"""Of a telephone number that is looked for among the words of a supplier's contact."""


class KnownBy(NamedTuple):
    """How a person is named: by one of the first four."""

    email: str = ""
    phone: str = ""
    order_id: str = ""
    supplier_id: str = ""
    country: str = ""
    """Where the number is dialled."""
    with_tags: bool = False


def known_by(request: Any) -> KnownBy:
    """Whom a request with a ``person`` is about; raises Malformed where nobody is named."""
    match request.WhichOneof("person"):
        case "email":
            email = shapes.text(request.email, "email", _MOST_CHARACTERS, required=True)
            return KnownBy(email=email, with_tags=getattr(request, "with_tags", False))
        case "phone":
            phone = shapes.text(request.phone, "phone", _MOST_CHARACTERS, required=True)
            return KnownBy(phone=phone, country=shapes.country(getattr(request, "country", ""), "country", []))
        case "order_id":
            return KnownBy(order_id=shapes.order_id(request.order_id))
        case "supplier_id":
            return KnownBy(supplier_id=shapes.plain_id(request.supplier_id, "supplier_id"))
        case _:
            raise Malformed(("person", "is required: email, phone, order_id or supplier_id"))


# --- whom it is about -----------------------------------------------------------------------------


async def find(tenant: Tenant, sealer: Sealer, known: KnownBy) -> Belongings:
    """All orders with the contact, or with those of the order that is named, and suppliers that name it.

    Raises UnknownOrder and UnknownSupplier, and Malformed for a number that is several people's.
    """
    log, own, named = tenant.log, sealer.of(tenant.schema), list[str]()
    if known.supplier_id:
        stream = suppliers.stream(known.supplier_id)
        await reading(log, lambda view: suppliers.known(_state(view, stream), known.supplier_id))
        return Belongings(supplier_ids=(known.supplier_id,))
    if known.order_id:
        subjects = await reading(log, lambda view: _subjects(view, known.order_id))
        held = await contacts.beside(log, own, await contacts.of_subjects(log, subjects))
        order_ids = [known.order_id]
    else:
        spellings = contacts.known_as(own, known.email, known.phone, known.country, tags=known.with_tags)
        held = await contacts.of_contacts(log, contacts.every_epoch(spellings))
        if known.phone:
            _require_one(held, spellings)
        subjects = {sealer.subject_of(known.email, known.phone, "")}
        order_ids, named = [], await _suppliers_naming(tenant, own, known)
    subjects |= {each.subject for each in held}
    held += await contacts.of_subjects(log, subjects)
    order_ids += [each.order_id or orders.anchored(each.subject) for each in held]
    known_ids = tuple(dict.fromkeys(filter(None, order_ids)))
    return Belongings(known_ids, tuple(sorted(subjects)), tuple(named))


async def subjects(tenant: Tenant, sealer: Sealer, known: KnownBy) -> set[str]:
    """Under which the keys of a person are, or of an order alone; raises UnknownOrder."""
    if known.order_id:
        return await reading(tenant.log, lambda view: _subjects(view, known.order_id))
    found = await find(tenant, sealer, known)
    return {*await subjects_of(tenant, found), *map(suppliers.stream, found.supplier_ids)}


async def subjects_of(tenant: Tenant, found: Belongings) -> set[str]:
    """Under which the keys of a person are, as far as it is not a supplier's contact."""
    return {*found.subjects, *map(orders.anchor, await orders_of(tenant, found))}


async def orders_of(tenant: Tenant, found: Belongings) -> list[str]:
    """The orders of a person that there are, with those that send their units again."""
    return await reading(tenant.log, lambda view: erasing.together(view, found.order_ids))


def _subjects(view: View, order_id: str) -> set[str]:
    """Under which the keys of an order are."""
    order = orders.known(orders.find(view, order_id), order_id)
    return {*order.subjects, *map(orders.anchor, erasing.together(view, [order_id]))}


def _require_one(held: Iterable[Held], spellings: Sequence[Spelling]) -> None:
    """Refuses digits that are several numbers here: which of the people is meant they do not say."""
    there = {each.phone for each in held}
    if sum(any(each.phone in there for each in spelling) for spelling in spellings) > 1:
        raise Malformed(("phone", "is several people's, in several countries; say the country, or the calling code"))


async def _suppliers_naming(tenant: Tenant, own: TenantSealer, known: KnownBy) -> list[str]:
    """Suppliers in whose contact the address or the number stands."""
    query = in_schema(_OF_SUPPLIERS, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        streams = [row[0] for row in await (await connection.execute(query)).fetchall()]
    view, _ = await read(tenant.log, streams)
    found: list[Supplier] = [state for stream in streams if (state := view.state(stream)) is not None]
    sealed = {each.master.contact.key_id: each for each in found if each.master.contact is not None}
    keys, named = await tenant.log.keys_of(sealed), []
    for key_id, supplier in sealed.items():
        contact, key = supplier.master.contact, keys.get(key_id)
        assert contact is not None, "it was sealed"
        if key is None:
            continue
        try:
            bound_to = placed(suppliers.stream(supplier.supplier_id), "contact")
            written = str(own.unseal(contact, key, bound_to).get("contact", ""))
        except Unreadable:
            continue  # nobody can read it, so that it names nobody
        if _names(written, known):
            named.append(supplier.supplier_id)
    return named


_OF_SUPPLIERS = """
    SELECT DISTINCT subject FROM {schema}.ledger_keys
    WHERE subject >= 'supplier-' AND subject < 'supplier.' AND wrapped IS NOT NULL
"""


def _names(contact: str, known: KnownBy) -> bool:
    if known.email:
        wanted = mailbox(known.email)
        every = {*map(mailbox, addresses_in(contact))}
        every |= {*map(untagged, every)} if known.with_tags else set()
        return wanted in every
    digits = "".join(character for character in contact if character.isdigit())
    spellings = phone_spellings(known.phone, known.country)
    # One without a code may be of any country: only as it stands.
    spellings = spellings if len(spellings) < 4 else spellings[:1]
    return any(len(each) >= _LEAST_DIGITS and each in digits for each in spellings)


def _state(view: View, stream: str) -> Any:
    view.need(stream)
    return view.state(stream)


_OF_CHANNEL = """
    SELECT DISTINCT subject FROM {schema}.ledger_keys
    WHERE subject > %(after)s AND starts_with(subject, %(prefix)s) AND subject < %(end)s AND wrapped IS NOT NULL
    ORDER BY subject LIMIT %(limit)s
"""


async def kept_of(tenant: Tenant, channel: str, after: str, limit: int) -> list[str]:
    """The orders of a channel of which something personal is kept, behind an order, by their ids."""
    prefix = orders.anchor(f"{channel}/")
    values = {"after": orders.anchor(after) if after else prefix, "prefix": prefix, "end": prefix + "\U0010ffff"}
    query = in_schema(_OF_CHANNEL, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        rows = await (await connection.execute(query, {**values, "limit": limit})).fetchall()
    return [orders.anchored(subject) for (subject,) in rows]


# --- how much is kept of it -----------------------------------------------------------------------

_KEYS = """
    SELECT key_id, subject, key_id IN (SELECT e.key_id FROM {schema}.ledger_evidence AS e
        WHERE e.subject = ANY(%(subjects)s))
    FROM {schema}.ledger_keys WHERE subject = ANY(%(subjects)s) AND wrapped IS NOT NULL
"""


class HeldStill(NamedTuple):
    """What of the parts of a person can still be read: what was erased before is not erased again."""

    orders: Sequence[Order]
    counts: Mapping[str, int]
    """By kind."""


async def held_still(tenant: Tenant, erased: Parts) -> HeldStill:
    """By the keys that there are."""
    query = in_schema(_KEYS, tenant.schema)
    async with tenant.log.pool.connection() as connection:
        rows = await (await connection.execute(query, {"subjects": list(erased.subjects)})).fetchall()
    keys, subjects = {key_id for key_id, _, _ in rows}, {subject for _, subject, _ in rows}
    there = [each for each in erased.orders if subjects & {orders.anchor(each.order_id), *each.subjects}]
    counts = {
        "orders": len(there),
        "cases": sum(len(each.after_sales.cases) for each in there),
        "notes": sum(note.note.key_id in keys for each in there for note in each.remarks.notes),
        "supplier_contacts": sum(suppliers.stream(each.supplier_id) in subjects for each in erased.suppliers),
        "evidence": sum(is_evidence for _, _, is_evidence in rows),
        "keys": len(rows),
    }
    return HeldStill(there, counts)


def counted(counts: Mapping[str, int]) -> pb.ErasePersonResponse:
    """The answer's counts; a kind that this version does not know is left out."""
    answer = pb.ErasePersonResponse(keys_destroyed=counts.get("keys", 0))
    for field in answer.counts.DESCRIPTOR.fields:
        setattr(answer.counts, field.name, counts.get(field.name, 0))
    return answer
