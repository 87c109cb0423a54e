"""SupplierService's commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

from msgspec.structs import replace

from adapters.rpc import calendars, shapes
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import each, require
from adapters.rpc.sealing import sealed_text, sealed_with
from adapters.rpc.shapes import count, happened, instant, plain_id, text
from fulfilment.v1 import rates_pb2
from fulfilment.v1 import suppliers_pb2 as pb
from ledger.decisions import catalogue, sourcing
from ledger.decisions.customs import HS_CODE
from ledger.engine.sealing import placed
from ledger.facts import Change, Told, changes_of
from ledger.nouns import offers, policies, reviews, skus, suppliers
from ledger.nouns.destinations import RefusedDestination
from ledger.nouns.policies import policy_at
from ledger.terms.calendars import WorkingTerms
from ledger.terms.rates import RateName
from ledger.terms.time_zones import is_time_zone
from ledger.view import View
from projections.machine.reads import Where
from projections.supplier_performance import reviewing

_rate_name = shapes.enum(rates_pb2.RateName, RateName)


def _of_supplier(supplier_id: str, decide: Callable[[suppliers.Supplier], Sequence[suppliers.SupplierFact]]) -> Ask:
    stream = suppliers.stream(supplier_id)

    def known(view: View) -> Sequence[Change]:
        supplier = suppliers.known(suppliers.find(view, supplier_id), supplier_id)
        return changes_of(stream, decide(supplier))

    return Ask(known, (stream,))


def _with_text(
    supplier_id: str,
    written: str,
    edge: Edge,
    decide: Callable[[suppliers.Supplier, Told], Sequence[suppliers.SupplierFact]],
) -> Ask:
    """About a supplier, with what somebody wrote: it is sealed as the supplier's contact is."""
    stream = suppliers.stream(supplier_id)
    because, keys = sealed_text(edge.sealer, written, stream, stream)
    return replace(_of_supplier(supplier_id, lambda supplier: decide(supplier, because)), keys=keys)


def register_supplier(request: pb.RegisterSupplierRequest, edge: Edge) -> Ask:
    supplier_id = plain_id(request.supplier_id, "supplier_id")
    stream = suppliers.stream(supplier_id)
    contact = shapes.lines(request.contact, "contact", 2000)
    address = shapes.lines(request.return_address, "return_address", 2000)
    sealed_contact, contact_keys = sealed_with(
        edge.sealer, {"contact": contact} if contact else {}, stream, placed(stream, "contact")
    )
    sealed_address, address_keys = sealed_with(
        edge.sealer, {"address": address} if address else {}, stream, placed(stream, "return_address")
    )
    registration = suppliers.SupplierRegistered(
        supplier_id=supplier_id,
        name=text(request.name, "name", 1000, required=True),
        at=happened(request, edge.now),
        country=shapes.country(request.country, "country", edge.warnings),
        contact=sealed_contact,
        return_address=sealed_address,
        return_freight_paid_by_supplier=request.return_freight_paid_by_supplier,
        packing=shapes.words(request.packing, "packing"),
        intake=edge.sealer.digest(f"{contact}\0{address}".encode()) if contact or address else "",
        warehouses=_warehouses(request.warehouses, "warehouses", edge),
        digests={
            name: _digest(said, edge) for name, said in (("contact", contact), ("return_address", address)) if said
        },
    )
    return Ask(
        lambda view: changes_of(stream, suppliers.register(suppliers.find(view, supplier_id), registration)),
        (stream,),
        (*contact_keys, *address_keys),
    )


def _digest(said: str, edge: Edge) -> str:
    return edge.sealer.digest(said.encode()) if said else ""


def _warehouses(messages: Sequence[pb.Warehouse], field: str, edge: Edge) -> tuple[suppliers.Warehouse, ...]:
    require(len(messages) <= 50, field, f"{len(messages)} warehouses, 50 at most")
    warehouses = each(messages, field, lambda message: _warehouse(message, edge.warnings))
    require(len({house.code for house in warehouses}) == len(warehouses), field, "two of them have the same code")
    return warehouses


def _warehouse(message: pb.Warehouse, warnings: list[str]) -> suppliers.Warehouse:
    require(message.country != "", "country", "is required")
    zone = message.time_zone
    require(not zone or is_time_zone(zone), "time_zone", f"{zone[:40]!r} is not an IANA name such as Asia/Shanghai")
    country = shapes.country(message.country, "country", warnings)
    return suppliers.Warehouse(plain_id(message.code, "code"), country, text(message.region, "region", 100), zone)


def update_supplier(request: pb.UpdateSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    stream = suppliers.stream(supplier_id)
    named: Callable[[Any], bool] = request.HasField
    contact = shapes.lines(request.contact, "contact", 2000)
    address = shapes.lines(request.return_address, "return_address", 2000)
    sealed_contact, contact_keys = sealed_with(
        edge.sealer, {"contact": contact} if contact else {}, stream, placed(stream, "contact")
    )
    sealed_address, address_keys = sealed_with(
        edge.sealer, {"address": address} if address else {}, stream, placed(stream, "return_address")
    )
    people = {"contact": contact, "return_address": address}
    update = suppliers.SupplierUpdated(
        supplier_id=supplier_id,
        at=at,
        name=text(request.name, "name", 1000, required=True) if named("name") else None,
        country=shapes.country(request.country, "country", edge.warnings) if named("country") else None,
        contact=sealed_contact,
        return_address=sealed_address,
        digests={name: _digest(said, edge) for name, said in people.items() if named(name)},
        return_freight_paid_by_supplier=request.return_freight_paid_by_supplier
        if named("return_freight_paid_by_supplier")
        else None,
        packing=shapes.words(request.packing.words, "packing.words") if named("packing") else None,
        warehouses=_warehouses(request.warehouses.warehouses, "warehouses.warehouses", edge)
        if named("warehouses")
        else None,
    )
    ask = _of_supplier(supplier_id, lambda supplier: suppliers.update(supplier, update))
    return Ask(ask.decide, ask.streams, (*contact_keys, *address_keys))


def review_sample(request: pb.ReviewSampleRequest, edge: Edge) -> Ask:
    supplier_id = plain_id(request.supplier_id, "supplier_id")
    review = suppliers.SampleReviewed(
        supplier_id,
        request.material_matches,
        request.packaging_matches,
        request.manual_matches,
        happened(request, edge.now),
    )
    return _of_supplier(supplier_id, lambda supplier: suppliers.review_sample(supplier, review))


def agree_terms(request: pb.AgreeTermsRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    require(request.HasField("agreement"), "agreement", "is required")
    agreement, seen = _agreement(request.agreement, edge.now), shapes.seen(request, "seen_agreements")
    for index, name in enumerate(request.ends):
        known = name in suppliers.ENDING_TERMS
        require(known, f"ends[{index}]", f"{name[:40]!r} is not one of {', '.join(suppliers.ENDING_TERMS)}")
    ends = frozenset(request.ends)
    return _of_supplier(supplier_id, lambda supplier: suppliers.change_terms(supplier, agreement, ends, at, seen))


def _agreement(terms: pb.Agreement, now: datetime) -> suppliers.Agreement:
    effective_from = instant(terms, "agreement.effective_from") or now
    effective_until = instant(terms, "agreement.effective_until")
    ends_after = effective_until is None or effective_until > effective_from
    require(ends_after, "agreement.effective_until", "is not after effective_from")
    return suppliers.Agreement(
        effective_from=effective_from,
        effective_until=effective_until,
        acknowledge_within_hours=_hours(terms, "acknowledge_within_hours"),
        dispatch_within_hours=_hours(terms, "dispatch_within_hours"),
        express_dispatch_within_hours=_hours(terms, "express_dispatch_within_hours"),
        first_scan_within_hours=_hours(terms, "first_scan_within_hours"),
        answer_within_hours=_hours(terms, "answer_within_hours"),
        compensation_basis_points=count(
            terms.compensation_basis_points, "agreement.compensation_basis_points", most=10_000
        ),
        compensation_cap=shapes.money(terms.compensation_cap, "agreement.compensation_cap")
        if terms.HasField("compensation_cap")
        else None,
        feed_interval_hours=_hours(terms, "feed_interval_hours"),
        peaks=calendars.peaks(terms.peaks, "agreement.peaks"),
        acknowledgement_target_basis_points=_share(terms, "acknowledgement_target_basis_points"),
        response_target_basis_points=_share(terms, "response_target_basis_points"),
        working=_working(terms) if terms.HasField("working") else None,
        cancel_answer_within_hours=_hours(terms, "cancel_answer_within_hours"),
        resolve_within_hours=_hours(terms, "resolve_within_hours"),
        resolution_target_basis_points=_share(terms, "resolution_target_basis_points"),
    )


def _working(terms: pb.Agreement) -> WorkingTerms:
    for name in suppliers.AGREEMENT_TERMS:
        twice = name in terms.working.terms and terms.HasField(cast("Any", f"{name}_hours"))
        require(not twice, f"agreement.{name}_hours", "is given in working time too")
    return calendars.working_terms(terms.working, "agreement.working", suppliers.AGREEMENT_TERMS)


def _hours(terms: pb.Agreement, name: Any) -> int | None:
    return count(getattr(terms, name), f"agreement.{name}", 1, 10_000) if terms.HasField(name) else None


def _share(terms: pb.Agreement, name: Any) -> int | None:
    return count(getattr(terms, name), f"agreement.{name}", 0, 10_000) if terms.HasField(name) else None


def approve_supplier(request: pb.ApproveSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    return _of_supplier(supplier_id, lambda supplier: suppliers.approve(supplier, at))


def offer_sku(request: pb.OfferSkuRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    offer = _offer(request.offer)
    streams = (suppliers.stream(supplier_id), *dict.fromkeys(map(skus.stream, (offer.sku, skus.folded(offer.sku)))))
    return Ask(lambda view: sourcing.offer_sku(view, supplier_id, offer, at), streams)


def _offer(message: pb.Offer) -> offers.Offer:
    require(len(message.backups) <= 10, "offer.backups", "more than 10 suppliers")
    require(len(message.breaks) <= 20, "offer.breaks", "more than 20 breaks")
    breaks = each(message.breaks, "offer.breaks", _price_break)
    rising = all(less.units < more.units for less, more in pairwise(breaks))
    require(rising, "offer.breaks", "units do not rise from break to break")
    since, until = instant(message, "offer.valid_from"), instant(message, "offer.valid_until")
    require(since is None or until is None or since < until, "offer.valid_until", "is not after valid_from")
    return offers.Offer(
        sku=shapes.sku(message.sku, "offer.sku"),
        cost=shapes.money(message.cost, "offer.cost"),
        minimum_quantity=count(message.minimum_quantity, "offer.minimum_quantity") or 1,
        lead_time_days=count(message.lead_time_days, "offer.lead_time_days", most=1000),
        backups=tuple(plain_id(backup, f"offer.backups[{i}]") for i, backup in enumerate(message.backups)),
        article_code=text(message.article_code, "offer.article_code", 100).strip(),
        breaks=breaks,
        packing_cost_minor=shapes.minor(message.packing_cost_minor, "offer.packing_cost_minor"),
        warehouse=shapes.optional(plain_id, message.warehouse, "offer.warehouse"),
        valid_from=since,
        valid_until=until,
    )


def _price_break(message: pb.PriceBreak) -> offers.PriceBreak:
    return offers.PriceBreak(count(message.units, "units", 2), shapes.minor(message.cost_minor, "cost_minor"))


def withdraw_offer(request: pb.WithdrawOfferRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    sku, written = shapes.sku(request.sku, "sku"), text(request.reason, "reason", 500)
    return _with_text(
        supplier_id, written, edge, lambda supplier, because: suppliers.withdraw_offer(supplier, sku, because, at)
    )


def _place(message: pb.RefusedDestination, edge: Edge) -> RefusedDestination:
    require(message.country != "", "destination.country", "is required")
    return RefusedDestination(
        shapes.country(message.country, "destination.country", edge.warnings),
        text(message.region, "destination.region", 100).strip(),
        shapes.sku(message.sku, "destination.sku") if message.sku else "",
    )


def refuse_destination(request: pb.RefuseDestinationRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    place, written = _place(request.destination, edge), text(request.reason, "reason", 500)
    return _with_text(
        supplier_id, written, edge, lambda supplier, because: suppliers.refuse_destination(supplier, place, because, at)
    )


def serve_destination(request: pb.ServeDestinationRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    place = _place(request.destination, edge)
    return _of_supplier(supplier_id, lambda supplier: suppliers.serve_destination(supplier, place, at))


def describe_sku(request: pb.DescribeSkuRequest, edge: Edge) -> Ask:
    sku, at = shapes.sku(request.sku, "sku"), happened(request, edge.now)
    named: Callable[[Any], bool] = request.HasField
    hs_code = shapes.hs_code(request.hs_code, "hs_code")
    require(not hs_code or HS_CODE.fullmatch(hs_code) is not None, "hs_code", "is not 6 to 12 digits")
    described = skus.SkuDescribed(
        sku=sku,
        at=at,
        title=text(request.title, "title", 1000).strip() if named("title") else None,
        hs_code=hs_code if named("hs_code") else None,
        origin=shapes.country(request.origin, "origin", edge.warnings) if named("origin") else None,
        weight_grams=count(request.weight_grams, "weight_grams", most=10**9) if named("weight_grams") else None,
        parts=_bundle_parts(request.parts.parts) if named("parts") else None,
    )
    return Ask(lambda view: catalogue.describe_sku(view, described), (skus.stream(sku), skus.CATALOGUE))


def _bundle_parts(messages: Sequence[pb.BundlePart]) -> tuple[skus.BundlePart, ...]:
    require(len(messages) <= 50, "parts.parts", f"{len(messages)} parts, 50 at most")
    parts = each(messages, "parts.parts", _bundle_part)
    require(len({part.sku for part in parts}) == len(parts), "parts.parts", "two of them have the same SKU")
    return parts


def _bundle_part(message: pb.BundlePart) -> skus.BundlePart:
    units = count(message.units, "units", most=10_000) or 1
    return skus.BundlePart(shapes.sku(message.sku, "sku"), units, count(message.price_share, "price_share") or 1)


async def look_at_supplier(request: pb.ReviewSupplierRequest, where: Where, now: datetime) -> reviews.Seen:
    supplier_id = plain_id(request.supplier_id, "supplier_id")
    since, until = instant(request, "since"), instant(request, "until")
    require(since is None or since < (until or now), "since", "is not before the period's end")
    return await reviewing.see(where, supplier_id, since, until, now)


def review_supplier(request: pb.ReviewSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at, seen = request.supplier_id, happened(request, edge.now), edge.seen
    stream = suppliers.stream(supplier_id)

    def decide(view: View) -> Sequence[Change]:
        view.need(stream, policies.stream())
        supplier = suppliers.known(suppliers.find(view, supplier_id), supplier_id)
        return changes_of(stream, suppliers.review(supplier, seen, policy_at(policies.find(view), at), at))

    return Ask(decide, (stream, policies.stream()))


def accept_suspension(request: pb.AcceptSuspensionRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    name = _rate_name(request.rate, "rate")
    return _of_supplier(supplier_id, lambda supplier: suppliers.accept_suspension(supplier, name, at))


def dismiss_suspension(request: pb.DismissSuspensionRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    name, written = _rate_name(request.rate, "rate"), text(request.reason, "reason", 500, required=True)
    return _with_text(
        supplier_id, written, edge, lambda supplier, because: suppliers.dismiss_suspension(supplier, name, because, at)
    )


def suspend_supplier(request: pb.SuspendSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    written = text(request.reason, "reason", 500)
    return _with_text(supplier_id, written, edge, lambda supplier, because: suppliers.suspend(supplier, because, at))


def reinstate_supplier(request: pb.ReinstateSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    return _of_supplier(supplier_id, lambda supplier: suppliers.reinstate(supplier, at))


def retire_supplier(request: pb.RetireSupplierRequest, edge: Edge) -> Ask:
    supplier_id, at = plain_id(request.supplier_id, "supplier_id"), happened(request, edge.now)
    written = text(request.reason, "reason", 500)
    return _with_text(supplier_id, written, edge, lambda supplier, because: suppliers.retire(supplier, because, at))


READERS: Readers = {
    pb.RegisterSupplierRequest: Reader(register_supplier),
    pb.UpdateSupplierRequest: Reader(update_supplier),
    pb.ReviewSampleRequest: Reader(review_sample),
    pb.AgreeTermsRequest: Reader(agree_terms),
    pb.ApproveSupplierRequest: Reader(approve_supplier),
    pb.OfferSkuRequest: Reader(offer_sku),
    pb.WithdrawOfferRequest: Reader(withdraw_offer),
    pb.RefuseDestinationRequest: Reader(refuse_destination),
    pb.ServeDestinationRequest: Reader(serve_destination),
    pb.DescribeSkuRequest: Reader(describe_sku),
    pb.ReviewSupplierRequest: Reader(review_supplier, look=look_at_supplier),
    pb.AcceptSuspensionRequest: Reader(accept_suspension),
    pb.DismissSuspensionRequest: Reader(dismiss_suspension),
    pb.SuspendSupplierRequest: Reader(suspend_supplier),
    pb.ReinstateSupplierRequest: Reader(reinstate_supplier),
    pb.RetireSupplierRequest: Reader(retire_supplier),
}
