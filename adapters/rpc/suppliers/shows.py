"""A supplier into its message."""

from __future__ import annotations

from adapters.rpc.calendars import show_peaks, show_working_terms
from adapters.rpc.shows import money, proposal, rate, stamp, standing, verdict
from fulfilment.v1 import suppliers_pb2 as pb
from ledger.nouns.offers import Offer
from ledger.nouns.reviews import SupplierReviewed
from ledger.nouns.skus import Master
from ledger.nouns.suppliers import Agreement, Supplier


def supplier(
    state: Supplier, version: int, contact: str = "", return_address: str = "", *, with_offers: bool = True
) -> pb.Supplier:
    """The supplier; contact and return_address are what was unsealed, if that was asked for."""
    offered = sorted(state.offers) if with_offers else ()
    return pb.Supplier(
        supplier_id=state.supplier_id,
        name=state.master.name,
        country=state.master.country,
        standing=standing(state.standing),
        sample_passed=state.sample_passed,
        agreements=[_agreement(agreement) for agreement in state.agreements],
        offers=[_offer(each) for sku in offered for each in state.offers[sku]],
        packing=state.master.packing,
        version=version,
        score_basis_points=state.score_basis_points,
        last_review=_review(state.reviews.last) if state.reviews.last else None,
        proposals=[proposal(state.supplier_id, each) for each in state.reviews.proposals.values()],
        return_freight_paid_by_supplier=state.master.return_freight_paid_by_supplier,
        contact=contact,
        return_address=return_address,
        contact_erased_at=stamp(state.contact_erased_at),
        warehouses=[
            pb.Warehouse(code=each.code, country=each.country, region=each.region, time_zone=each.time_zone)
            for each in state.master.warehouses
        ],
        refused_destinations=[
            pb.RefusedDestination(country=each.country, region=each.region, sku=each.sku)
            for places in state.refused.values()
            for each in places
        ],
    )


def _review(reviewed: SupplierReviewed) -> pb.SupplierReview:
    return pb.SupplierReview(
        since=stamp(reviewed.since),
        until=stamp(reviewed.until),
        position=reviewed.position,
        rates=[rate(each) for each in reviewed.rates],
        score_basis_points=reviewed.score_basis_points,
        verdict=verdict(reviewed.verdict),
        at=stamp(reviewed.at),
    )


def _agreement(agreement: Agreement) -> pb.Agreement:
    return pb.Agreement(
        effective_from=stamp(agreement.effective_from),
        effective_until=stamp(agreement.effective_until),
        acknowledge_within_hours=agreement.acknowledge_within_hours,
        dispatch_within_hours=agreement.dispatch_within_hours,
        express_dispatch_within_hours=agreement.express_dispatch_within_hours,
        first_scan_within_hours=agreement.first_scan_within_hours,
        answer_within_hours=agreement.answer_within_hours,
        compensation_basis_points=agreement.compensation_basis_points,
        compensation_cap=money(agreement.compensation_cap),
        feed_interval_hours=agreement.feed_interval_hours,
        acknowledgement_target_basis_points=agreement.acknowledgement_target_basis_points,
        response_target_basis_points=agreement.response_target_basis_points,
        peaks=show_peaks(agreement.peaks),
        working=show_working_terms(agreement.working),
        cancel_answer_within_hours=agreement.cancel_answer_within_hours,
        resolve_within_hours=agreement.resolve_within_hours,
        resolution_target_basis_points=agreement.resolution_target_basis_points,
    )


def _offer(offer: Offer) -> pb.Offer:
    return pb.Offer(
        sku=offer.sku,
        cost=money(offer.cost),
        minimum_quantity=offer.minimum_quantity,
        lead_time_days=offer.lead_time_days,
        backups=offer.backups,
        article_code=offer.article_code,
        breaks=[pb.PriceBreak(units=each.units, cost_minor=each.cost_minor) for each in offer.breaks],
        packing_cost_minor=offer.packing_cost_minor,
        warehouse=offer.warehouse,
        valid_from=stamp(offer.valid_from),
        valid_until=stamp(offer.valid_until),
    )


def sku_master(master: Master) -> pb.SkuMaster:
    return pb.SkuMaster(
        title=master.title,
        hs_code=master.hs_code,
        origin=master.origin,
        weight_grams=master.weight_grams,
        parts=[pb.BundlePart(sku=each.sku, units=each.units, price_share=each.price_share) for each in master.parts],
    )
