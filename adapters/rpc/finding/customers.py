"""Everything about a customer, who is known by a contact or by an order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from adapters.people import contacts
from adapters.people.personal_reads import note_subjects
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.cases.shows import summary
from adapters.rpc.faults import require
from adapters.rpc.inquiries.shows import waiting
from adapters.rpc.listing import listed, page
from adapters.rpc.reports.tracking import tracked_order
from adapters.rpc.sealing import PersonalQueries
from adapters.tenants import Tenant
from fulfilment.v1 import cases_pb2, inquiries_pb2
from fulfilment.v1 import finding_pb2 as pb
from ledger.facts import Sealed, is_plain_id
from ledger.nouns import orders
from ledger.nouns.orders import Order
from ledger.terms.order_numbers import is_order_number, order_number
from projections import cases, inquiries, tracking
from projections.machine.reads import Where
from projections.tracking import TrackedOrder

_MOST_CHARACTERS = 1000


class CustomerQueries(PersonalQueries):
    async def FindCustomer(self, request: pb.FindCustomerRequest, call: Call) -> pb.FindCustomerResponse:
        wanted, known_by, viewer = page(request), _known_by(request), call.viewer("customer")
        tenant, where = await self.tenant(call), await self.where(request, call)
        if known_by == "order_number":
            order_ids = await self._by_number(tenant, where, request.order_number.strip())
        else:
            order_ids = await self._by_contact(tenant, request.email, request.phone)
        answer = await tracking.list_with_sent_again(where, wanted, order_ids)
        shown = [order.order_id for order in answer.rows]
        await note_subjects(tenant.log, viewer, map(orders.anchor, shown))
        found_cases, found_inquiries = await _cases(where, shown), await _inquiries(where, shown)

        def found(order: TrackedOrder) -> pb.CustomerOrder:
            return pb.CustomerOrder(
                order=tracked_order(order),
                cases=found_cases[order.order_id],
                inquiries=found_inquiries[order.order_id],
            )

        return listed(pb.FindCustomerResponse, "orders", answer, found)

    async def _by_contact(self, tenant: Tenant, email: str, phone: str) -> list[str]:
        sealer = self.sealer.of(tenant.schema)
        spellings = contacts.known_as(sealer, email, phone)
        require(bool(spellings), "phone" if phone else "email", "holds nothing to find a person by")
        return await contacts.orders_of(tenant.log, sealer, contacts.every_epoch(spellings))

    async def _by_number(self, tenant: Tenant, where: Where, number: str) -> list[str]:
        """The orders of that number, and all others of those who ordered them."""
        channel, _, rest = number.partition("/")
        if is_plain_id(channel) and is_order_number(rest) and (found := await self._known(tenant, [number])):
            return found
        return await self._known(tenant, (await tracking.find_numbered(where, order_number(number))).rows)

    async def _known(self, tenant: Tenant, order_ids: Sequence[str]) -> list[str]:
        """Those of these orders that there are, and all others of the same people; none of whoever was erased."""
        entries, _ = await self.entries(tenant, [orders.stream(order_id) for order_id in order_ids])
        found: list[Order] = [entry.state for entry in entries if entry.state is not None]
        sealed = [each for order in found for each in _customers(order)]
        others = await contacts.orders_beside(
            tenant.log, self.sealer.of(tenant.schema), {each.key_id for each in sealed}
        )
        return [*{order.order_id: None for order in found}, *others]


def _customers(order: Order) -> Iterator[Sealed]:
    """Whoever it went to, sealed."""
    every = (order.placed.customer, order.customer, *(each.customer for each in order.addresses))
    return (each for each in every if each is not None)


def _known_by(request: pb.FindCustomerRequest) -> str:
    known_by = request.WhichOneof("known_by")
    require(known_by is not None, "known_by", "is required: email, phone or order_number")
    name = str(known_by)
    shapes.text(getattr(request, name), name, _MOST_CHARACTERS, required=True)
    return name


async def _cases(where: Where, order_ids: Sequence[str]) -> dict[str, list[cases_pb2.CaseSummary]]:
    by_order: defaultdict[str, list[cases_pb2.CaseSummary]] = defaultdict(list)
    for each in (await cases.cases_of(where, order_ids)).rows:
        by_order[each.order_id].append(summary(each))
    return by_order


async def _inquiries(where: Where, order_ids: Sequence[str]) -> dict[str, list[inquiries_pb2.Inquiry]]:
    by_order: defaultdict[str, list[inquiries_pb2.Inquiry]] = defaultdict(list)
    for each in (await inquiries.inquiries_about(where, order_ids)).rows:
        by_order[each.order_id].append(waiting(each))
    return by_order
