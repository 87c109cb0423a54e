"""TrackingLinkService: the link of an order's tracking page, shown, withdrawn and renewed."""

from __future__ import annotations

from adapters.people.personal_reads import note_subjects
from adapters.rpc import shapes
from adapters.rpc.calls import Call
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import happened
from adapters.rpc.shows import stamp
from adapters.tenants import Tenants
from adapters.tracking_page.links import TrackingLinks
from fulfilment.v1 import tracking_links_pb2 as pb
from ledger.decisions import tracking_links
from ledger.engine.sealing import Sealer
from ledger.nouns import orders, policies
from ledger.nouns.policies import policy_at
from ledger.terms.brands import brand_of


class TrackingLinkQueries(Queries):
    """TrackingLinkService but for its commands."""

    def __init__(self, tenants: Tenants, sealer: Sealer) -> None:
        super().__init__(tenants)
        self._links = TrackingLinks(sealer)

    async def GetTrackingLink(self, request: pb.GetTrackingLinkRequest, call: Call) -> pb.GetTrackingLinkResponse:
        order_id = shapes.order_id(request.order_id)
        stream = orders.stream(order_id)
        viewer = call.viewer(stream) if call.as_of is None else None
        tenant = await self.tenant(call)
        (entry, terms), position = await self.entries(tenant, [stream, policies.stream()], request.at_least)
        order = orders.known(entry.state, order_id)
        link, path = order.tracking_link, ""
        if viewer is not None:
            await note_subjects(tenant.log, viewer, [orders.anchor(order_id)])
            path = "" if link.is_withdrawn else self._links.path_of(tenant.name, order_id, link.number)
        site = brand_of(policy_at(terms.state, call.now).brands, order.placed.channel).tracking_site
        return pb.GetTrackingLinkResponse(
            url=site + path if site and path else "",
            path=path,
            withdrawn=link.is_withdrawn,
            changed_by=link.changed_by,
            changed_at=stamp(link.changed_at),
            position=position,
        )


def withdraw_tracking_link(request: pb.WithdrawTrackingLinkRequest, edge: Edge) -> Ask:
    order_id, at, by = shapes.order_id(request.order_id), happened(request, edge.now), edge.actor
    return Ask(lambda view: tracking_links.withdraw(view, order_id, by, at), (orders.stream(order_id),))


def renew_tracking_link(request: pb.RenewTrackingLinkRequest, edge: Edge) -> Ask:
    order_id, at, by = shapes.order_id(request.order_id), happened(request, edge.now), edge.actor
    return Ask(lambda view: tracking_links.renew(view, order_id, by, at), (orders.stream(order_id),))


READERS: Readers = {
    pb.WithdrawTrackingLinkRequest: Reader(withdraw_tracking_link),
    pb.RenewTrackingLinkRequest: Reader(renew_tracking_link),
}
