"""The retailer's own terms as the contract shows them, so that they can be agreed again as they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapters.rpc.admin.brands import show_brands
from adapters.rpc.calendars import show_peaks, show_working_terms
from adapters.rpc.shows import money, number_of, stamp
from fulfilment.v1 import admin_pb2 as pb
from fulfilment.v1 import common_pb2, people_pb2, recoveries_pb2, shipping_pb2
from ledger.nouns.policies import ClaimTerms, Policy, RerouteAfter, Seller
from ledger.terms.rates import Targets, Weights
from ledger.terms.retention import Retention
from ledger.terms.shipping import ShippingService

_incoterm = number_of(shipping_pb2.Incoterm)
_sending_mode = number_of(pb.SendingMode)
_document_kind = number_of(recoveries_pb2.ClaimDocumentKind)


def version(since: datetime | None, terms: Policy) -> pb.PolicyVersion:
    return pb.PolicyVersion(policy=policy(terms), effective_from=stamp(since))


def policy(terms: Policy) -> pb.Policy:
    fields = {name: getattr(terms, name) for name in terms.__struct_fields__}
    # Figures and words have the same names on both sides.
    plain: dict[str, Any] = {name: value for name, value in fields.items() if isinstance(value, int | str)}
    return pb.Policy(
        **plain,
        claim_terms=map(_claim_terms, terms.claim_terms),
        rate_targets=pb.RateTargets(**_figures(terms.targets)),
        rate_weights=pb.RateWeights(**_figures(terms.review_weights)),
        languages=dict(terms.languages),
        staff_mail=dict(terms.staff_mail),
        brand_packs=terms.brand_packs,
        shipping_services=map(shipping_service, terms.shipping_services),
        seller=_seller(terms.seller) if terms.seller else None,
        reroute_after=pb.RerouteAfter(**_figures(terms.reroute_after)),
        sending=pb.Sending(
            mode=_sending_mode(terms.sending.mode), rounds=terms.sending.rounds, time_zone=terms.sending.time_zone
        ),
        channel_packing=[pb.ChannelPacking(channel=each.channel, words=each.words) for each in terms.channel_packing],
        case_approvals=[
            pb.CaseApproval(
                reason=each.reason,
                remedy=each.remedy,
                most=money(each.most),
                within_days=each.within_days,
                liable=each.liable,
            )
            for each in terms.case_approvals
        ],
        working=show_working_terms(terms.working),
        peaks=show_peaks(terms.peaks),
        brands=show_brands(terms.brands),
        retention=map(retention, terms.retention),
    )


def retention(terms: Retention) -> people_pb2.Retention:
    return people_pb2.Retention(**{name: getattr(terms, name) for name in terms.__struct_fields__})


def _figures(terms: Targets | Weights | RerouteAfter) -> dict[str, int | None]:
    return {name: getattr(terms, name) for name in terms.__struct_fields__}


def _claim_terms(terms: ClaimTerms) -> recoveries_pb2.ClaimTerms:
    return recoveries_pb2.ClaimTerms(
        carrier=terms.carrier,
        loss_waiting_days=terms.loss_waiting_days,
        loss_filing_days=terms.loss_filing_days,
        damage_filing_days=terms.damage_filing_days,
        liability=filter(None, map(money, terms.liability)),
        loss_documents=map(_document_kind, terms.loss_documents),
        damage_documents=map(_document_kind, terms.damage_documents),
    )


def _seller(seller: Seller) -> pb.Seller:
    return pb.Seller(name=seller.name, address=seller.address, country=seller.country, tax_id=seller.tax_id)


def shipping_service(service: ShippingService) -> shipping_pb2.ShippingService:
    return shipping_pb2.ShippingService(
        code=service.code,
        carriers=service.carriers,
        international=service.international,
        days_from=service.days_from,
        days_to=service.days_to,
        cost=money(service.cost),
        cost_per_kg_minor=service.cost_per_kg_minor,
        tracked=service.tracked,
        most_weight_grams=service.most_weight_grams,
        most_value=[common_pb2.Money(amount_minor=m.amount_minor, currency=m.currency) for m in service.most_value],
        origins=service.origins,
        destinations=service.destinations,
        incoterms=map(_incoterm, service.incoterms),
        held_basis_points=service.held_basis_points,
    )
