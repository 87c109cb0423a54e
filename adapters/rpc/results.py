"""What a command was about, as it is after it: the message that a query for it answers, without personal data."""

from __future__ import annotations

from google.protobuf.message import Message

from adapters.rpc.admin.erasing import counted
from adapters.rpc.cases.shows import case
from adapters.rpc.inquiries.shows import inquiry
from adapters.rpc.orders.shows import order
from adapters.rpc.orders.under_way import parcels_of
from adapters.rpc.parcels.shows import parcel
from adapters.rpc.recoveries.shows import recovery
from adapters.rpc.suppliers.shows import supplier
from adapters.streams import read
from adapters.tenants import Tenant
from ledger.facts import in_plain
from ledger.nouns import orders
from ledger.nouns.cases import Case
from ledger.nouns.erasures import Erasure
from ledger.nouns.inquiries import Inquiry
from ledger.nouns.orders import Order
from ledger.nouns.parcels import Parcel
from ledger.nouns.recoveries import Recovery
from ledger.nouns.suppliers import Supplier
from ledger.view import Entry

MOST_OFFERS = 100
"""With more of them a supplier's result brings none: each command about a catalogue would answer all of it."""


async def show(tenant: Tenant, subject: Entry) -> Message | None:
    """The subject as a message; None where the contract has none for it."""
    match subject.state:
        case Order() as state:
            return order(state, subject.version, None, parcels=await parcels_of(tenant, state))
        case Case() as state:
            return case(state, subject.version, await _currency(tenant, state.order_id), {})
        case Parcel() as state:
            return parcel(state, subject.version, {})
        case Supplier() as state:
            return supplier(state, subject.version, with_offers=len(state.offers) <= MOST_OFFERS)
        case Recovery() as state:
            return recovery(state, subject.version, in_plain(state.because))
        case Inquiry() as state:
            return inquiry(state, subject.version, {})
        case Erasure() as state:
            return counted(state.counts).counts
        case _:
            return None


async def _currency(tenant: Tenant, order_id: str) -> str:
    stream = orders.stream(order_id)
    view, _ = await read(tenant.log, [stream])
    return orders.known(view.state(stream), order_id).currency
