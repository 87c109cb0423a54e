"""How suppliers stand, whose review is due, and who is proposed to be suspended."""

from __future__ import annotations

from datetime import timedelta

from adapters.rpc import shapes, shows
from adapters.rpc.calls import Call
from adapters.rpc.listing import any_of, listed, page
from adapters.rpc.queries import Queries
from adapters.rpc.shapes import optional, optional_enum, plain_id
from adapters.rpc.shows import stamp
from fulfilment.v1 import supplier_reviews_pb2 as pb
from fulfilment.v1 import suppliers_pb2
from ledger.nouns.reviews import ProposalState
from ledger.nouns.suppliers import Standing
from projections.supplier_performance import reviewing

_read_standing = shapes.enum(suppliers_pb2.SupplierStanding, Standing)
_read_proposal_state = shapes.enum(suppliers_pb2.ProposalState, ProposalState)


class SupplierReviewQueries(Queries):
    async def ListSuppliers(self, request: pb.ListSuppliersRequest, call: Call) -> pb.ListSuppliersResponse:
        standings = any_of(_read_standing, request.standings, "standings")
        place = await self.where(request, call)
        answer = await reviewing.list_suppliers(place, page(request), standings, call.now)
        return listed(pb.ListSuppliersResponse, "suppliers", answer, _supplier)

    async def ListReviewsDue(self, request: pb.ListReviewsDueRequest, call: Call) -> pb.ListReviewsDueResponse:
        now = call.now
        until = now + timedelta(days=shapes.count(request.due_within_days, "due_within_days", most=1000))
        answer = await reviewing.list_reviews_due(await self.where(request, call), page(request), until, now)
        return listed(pb.ListReviewsDueResponse, "reviews", answer, _review_due)

    async def ListSuspensionProposals(
        self, request: pb.ListSuspensionProposalsRequest, call: Call
    ) -> pb.ListSuspensionProposalsResponse:
        state = optional_enum(_read_proposal_state, request.state, "state")
        place = await self.where(request, call)
        answer = await reviewing.list_proposals(
            place, page(request), optional(plain_id, request.supplier_id, "supplier_id"), state
        )
        return listed(pb.ListSuspensionProposalsResponse, "proposals", answer, _proposal)


def _supplier(each: reviewing.ListedSupplier) -> pb.ListedSupplier:
    return pb.ListedSupplier(
        supplier_id=each.supplier_id,
        standing=shows.standing(each.standing),
        review_due=stamp(each.due),
        reviewed_at=stamp(each.reviewed_at),
        score_basis_points=each.score_basis_points,
        verdict=shows.verdict(each.verdict) if each.verdict else suppliers_pb2.VERDICT_UNSPECIFIED,
        open_proposals=each.open_proposals,
        name=each.name,
    )


def _review_due(each: reviewing.ReviewDue) -> pb.ReviewDue:
    return pb.ReviewDue(
        supplier_id=each.supplier_id,
        due=stamp(each.due),
        reviewed_at=stamp(each.reviewed_at),
        score_basis_points=each.score_basis_points,
        verdict=shows.verdict(each.verdict) if each.verdict else suppliers_pb2.VERDICT_UNSPECIFIED,
    )


def _proposal(each: reviewing.Proposed) -> suppliers_pb2.SuspensionProposal:
    return shows.proposal(each.supplier_id, each.proposal)
