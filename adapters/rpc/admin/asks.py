"""The retailer's own terms, which AdminService takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from google.protobuf.message import Message
from msgspec.structs import replace

from adapters.mail.addresses import addresses_in
from adapters.rpc import calendars, shapes
from adapters.rpc.admin.brands import brands
from adapters.rpc.admin.retention import MOST_DAYS, read_retention
from adapters.rpc.commands import Ask, Edge, Reader, Readers
from adapters.rpc.faults import require
from adapters.rpc.shapes import count, instant, text, words
from fulfilment.v1 import admin_pb2 as pb
from fulfilment.v1 import recoveries_pb2, shipping_pb2
from ledger.facts import changes_of
from ledger.nouns import policies, recoveries
from ledger.nouns.cases import Reason, Remedy
from ledger.nouns.policies import ClaimTerms
from ledger.nouns.stock import LONGEST_DEMAND_DAYS
from ledger.terms.parties import Party
from ledger.terms.quiet_hours import are_quiet_hours
from ledger.terms.shipping import Incoterm, ShippingService

_INCOTERMS: dict[int, Incoterm] = {
    shipping_pb2.INCOTERM_DDP: Incoterm.DDP,
    shipping_pb2.INCOTERM_DAP: Incoterm.DAP,
    shipping_pb2.INCOTERM_DDU: Incoterm.DAP,
}
_WEEK = 7 * 86_400
_MOST_TERMS = 200

_sending_mode = shapes.enum(pb.SendingMode, policies.SendingMode, unspecified=policies.SendingMode.AT_ONCE)
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_document = shapes.enum(recoveries_pb2.ClaimDocumentKind, recoveries.DocumentKind)


_FIGURES = {
    "reservation_minutes": (1, 43_200),
    "return_window_days": (0, 1000),
    "suspected_lost_after_days": (1, 1000),
    "number_reuse_after_days": (0, 10_000),
    "stale_buffer_units": (0, shapes.MOST_UNITS),
    "stale_buffer_basis_points": (0, 10_000),
    "low_stock_units": (0, shapes.MOST_UNITS),
    "cover_days": (1, LONGEST_DEMAND_DAYS),
    "demand_window_days": (1, LONGEST_DEMAND_DAYS),
    "answer_within_hours": (1, 10_000),
    "review_every_days": (1, 1000),
    "suspension_least_cases": (1, 1_000_000),
    "message_age_hours": (0, 8760),
    "message_attempts": (1, 1000),
    "message_retry_seconds": (1, _WEEK),
    "message_retry_most_seconds": (1, _WEEK),
    "message_window_minutes": (0, 60),
    "remind_before_hours": (0, 1000),
    "delay_notice_hours": (0, 1000),
    "customs_allowance_days": (0, 365),
    "held_parcel_costs_minor": (0, 1_000_000_000),
    "first_answer_within_hours": (1, 1000),
    "evidence_within_days": (1, 1000),
    "free_return_within_days": (0, 1000),
    "invoice_tolerance_basis_points": (0, 10_000),
    "invoice_charges_basis_points": (0, 10_000),
    "send_within_hours": (1, 1000),
    "refund_within_hours": (1, 1000),
    "supplier_days": (0, MOST_DAYS),
}
"""The least and the most of each figure; one that is absent is the trade's default, which 0 need not be."""


def agree_policy(request: pb.AgreePolicyRequest, edge: Edge) -> Ask:
    require(request.HasField("policy"), "policy", "is required")
    given, default = request.policy, policies.TRADE
    figures = {
        name: count(getattr(given, name), f"policy.{name}", least, most)
        for name, (least, most) in _FIGURES.items()
        if given.HasField(cast("Any", name))
    }
    policy = policies.Policy(
        **figures,
        claim_terms=_claim_terms(given.claim_terms, "policy.claim_terms"),
        targets=replace(default.targets, **_given(given.rate_targets, "policy.rate_targets", 10_000)),
        review_weights=replace(default.review_weights, **_given(given.rate_weights, "policy.rate_weights", 1000)),
        language=shapes.language(given.language, "policy.language") or default.language,
        languages=tuple(
            (shapes.country(country, "policy.languages", edge.warnings), shapes.language(language, "policy.languages"))
            for country, language in sorted(given.languages.items())
        )
        or default.languages,
        staff_language=shapes.language(given.staff_language, "policy.staff_language") or default.staff_language,
        brand_packs=words(given.brand_packs, "policy.brand_packs") or default.brand_packs,
        brand_pack_fallback=text(given.brand_pack_fallback, "policy.brand_pack_fallback", 50)
        or default.brand_pack_fallback,
        shipping_services=_services(given.shipping_services, edge.warnings) or default.shipping_services,
        seller=_seller(given.seller, edge.warnings) if given.HasField("seller") else None,
        reroute_after=_reroute_after(given),
        on_payment_reversed=_when_reversed(given.on_payment_reversed),
        channel_packing=_channel_packing(given.channel_packing),
        case_approvals=_case_approvals(given.case_approvals),
        working=calendars.working_terms(given.working, "policy.working", policies.POLICY_TERMS)
        if given.HasField("working")
        else None,
        peaks=calendars.peaks(given.peaks, "policy.peaks"),
        sending=_sending(given.sending),
        brands=brands(given.brands),
        retention=read_retention(given.retention),
        text_quiet_hours=_quiet_hours(given.text_quiet_hours),
        staff_mail=tuple(_staff_mailbox(role, address) for role, address in sorted(given.staff_mail.items())),
    )
    since = instant(request, "effective_from") or edge.now
    seen = shapes.seen(request, "seen_versions")
    return Ask(
        lambda view: changes_of(policies.stream(), policies.agree(policies.find(view), policy, since, edge.now, seen)),
        (policies.stream(),),
    )


def _given(message: Message, field: str, most: int) -> dict[str, int]:
    """The fields of a message that were filled."""
    return {each.name: count(value, f"{field}.{each.name}", 0, most) for each, value in message.ListFields()}


def _when_reversed(word: str) -> policies.WhenReversed:
    known = [each.value for each in policies.WhenReversed]
    require(word in ("", *known), "policy.on_payment_reversed", f"{word!r} is not one of {', '.join(known)}")
    return policies.WhenReversed(word) if word in known else policies.TRADE.on_payment_reversed


def _quiet_hours(given: str) -> str:
    known = not given or are_quiet_hours(given)
    require(known, "policy.text_quiet_hours", f"{given[:20]!r} are no hours such as 21:00-08:00, nor none")
    return given or policies.TRADE.text_quiet_hours


def _reroute_after(given: pb.Policy) -> policies.RerouteAfter:
    """Absent hours mean never; the default applies only if the whole field is absent."""
    if not given.HasField("reroute_after"):
        return policies.TRADE.reroute_after
    return policies.RerouteAfter(**_given(given.reroute_after, "policy.reroute_after", 8760))


def _sending(given: pb.Sending) -> policies.Sending:
    field = "policy.sending"
    mode = _sending_mode(given.mode, f"{field}.mode")
    in_rounds = mode is policies.SendingMode.IN_ROUNDS
    require(bool(given.rounds) == in_rounds, f"{field}.rounds", "is required for rounds, and only for them")
    require(len(given.rounds) <= 48, f"{field}.rounds", f"{len(given.rounds)} rounds, 48 at most")
    for index, at in enumerate(given.rounds):
        known = _TIME_OF_DAY.fullmatch(at) is not None
        require(known, f"{field}.rounds[{index}]", f"{at!r} is not a time of the day such as 09:30")
    require(len(set(given.rounds)) == len(given.rounds), f"{field}.rounds", "two are at the same time")
    return policies.Sending(
        mode, tuple(sorted(given.rounds)), calendars.time_zone(given.time_zone or "UTC", f"{field}.time_zone")
    )


def _staff_mailbox(role: str, address: str) -> tuple[str, str]:
    field, known = f"policy.staff_mail.{role}", (*policies.STAFF_ROLES, policies.ANY_ROLE)
    require(role in known, "policy.staff_mail", f"{role!r} is not one of {', '.join(known)}")
    require(addresses_in(address) == [address], field, "is not an e-mail address such as orders@shop.example")
    return role, address


def _case_approvals(given: Sequence[pb.CaseApproval]) -> tuple[policies.CaseApproval, ...]:
    field = "policy.case_approvals"
    require(len(given) <= _MOST_TERMS, field, f"{len(given)} approvals, {_MOST_TERMS} at most")
    return tuple(_case_approval(each, f"{field}[{index}]") for index, each in enumerate(given))


def _case_approval(given: pb.CaseApproval, field: str) -> policies.CaseApproval:
    remedies = [each.value for each in Remedy if each is not Remedy.EXCHANGE]
    for name, value, known in (
        ("reason", given.reason, [each.value for each in Reason]),
        ("remedy", given.remedy, remedies),
        ("liable", given.liable or Party.RETAILER, [each.value for each in Party]),
    ):
        require(value in known, f"{field}.{name}", f"{value!r} is not one of {', '.join(known)}")
    require(given.HasField("most"), f"{field}.most", "is required")
    return policies.CaseApproval(
        given.reason,
        given.remedy,
        shapes.money(given.most, f"{field}.most"),
        count(given.within_days, f"{field}.within_days", 0, 1000),
        Party(given.liable or Party.RETAILER),
    )


def _channel_packing(given: Sequence[pb.ChannelPacking]) -> tuple[policies.ChannelPacking, ...]:
    field = "policy.channel_packing"
    require(len(given) <= _MOST_TERMS, field, f"{len(given)} channels, {_MOST_TERMS} at most")
    packing = tuple(
        policies.ChannelPacking(
            shapes.optional(shapes.plain_id, each.channel, f"{field}[{index}].channel"),
            words(each.words, f"{field}[{index}].words"),
        )
        for index, each in enumerate(given)
    )
    require(len({each.channel for each in packing}) == len(packing), field, "two are of the same channel")
    return packing


def _services(given: Sequence[shipping_pb2.ShippingService], warnings: list[str]) -> tuple[ShippingService, ...]:
    field = "policy.shipping_services"
    require(len(given) <= 200, field, f"{len(given)} services, 200 at most")
    services = tuple(_service(each, f"{field}[{index}]", warnings) for index, each in enumerate(given))
    require(len({each.code for each in services}) == len(services), field, "two services have the same code")
    one_currency = len({each.cost.currency for each in services}) <= 1
    require(one_currency, field, "are priced in several currencies; they cannot be compared")
    return services


def _service(given: shipping_pb2.ShippingService, field: str, warnings: list[str]) -> ShippingService:
    shapes.some(given.carriers, f"{field}.carriers", 20, "carriers")
    require(len(given.most_value) <= 20, f"{field}.most_value", "more than 20 amounts")
    days_from = count(given.days_from, f"{field}.days_from", 0, 365)
    return ShippingService(
        code=shapes.plain_id(given.code, f"{field}.code"),
        carriers=tuple(shapes.carrier(each, f"{field}.carriers[{i}]") for i, each in enumerate(given.carriers)),
        international=given.international,
        days_from=days_from,
        days_to=count(given.days_to, f"{field}.days_to", days_from, 365),
        cost=shapes.money(given.cost, f"{field}.cost"),
        cost_per_kg_minor=count(given.cost_per_kg_minor, f"{field}.cost_per_kg_minor", most=10**12),
        tracked=given.tracked,
        most_weight_grams=count(given.most_weight_grams, f"{field}.most_weight_grams", most=10**9),
        most_value=tuple(shapes.money(each, f"{field}.most_value[{i}]") for i, each in enumerate(given.most_value)),
        origins=_countries(given.origins, f"{field}.origins", warnings),
        destinations=_countries(given.destinations, f"{field}.destinations", warnings),
        incoterms=tuple(
            dict.fromkeys(_incoterm(each, f"{field}.incoterms[{i}]") for i, each in enumerate(given.incoterms))
        ),
        held_basis_points=count(given.held_basis_points, f"{field}.held_basis_points", most=10_000),
    )


def _incoterm(value: int, field: str) -> Incoterm:
    require(value in _INCOTERMS, field, f"{value} is none of DDP, DAP and DDU")
    return _INCOTERMS[value]


def _countries(given: Sequence[str], field: str, warnings: list[str]) -> tuple[str, ...]:
    for index, country in enumerate(given):
        require(country != "", f"{field}[{index}]", "is required: an ISO 3166-1 alpha-2 code such as DE")
    return tuple(shapes.country(country, f"{field}[{index}]", warnings) for index, country in enumerate(given))


def _seller(given: pb.Seller, warnings: list[str]) -> policies.Seller:
    field = "policy.seller"
    require(len(given.address) <= 5, f"{field}.address", f"{len(given.address)} lines, 5 at most")
    return policies.Seller(
        text(given.name, f"{field}.name", 200, required=True),
        tuple(text(line, f"{field}.address[{index}]", 200) for index, line in enumerate(given.address)),
        shapes.country(given.country, f"{field}.country", warnings),
        text(given.tax_id, f"{field}.tax_id", 50),
    )


def _claim_terms(given: Sequence[recoveries_pb2.ClaimTerms], field: str) -> tuple[ClaimTerms, ...]:
    require(len(given) <= _MOST_TERMS, field, f"more than {_MOST_TERMS}")
    terms = tuple(_terms(each, f"{field}[{index}]") for index, each in enumerate(given))
    require(len({each.carrier for each in terms}) == len(terms), field, "two are of the same carrier")
    return terms


def _terms(given: recoveries_pb2.ClaimTerms, field: str) -> ClaimTerms:
    default = ClaimTerms()

    def days(name: Any, least: int) -> int:
        is_given = given.HasField(name)
        return count(getattr(given, name), f"{field}.{name}", least, 1000) if is_given else getattr(default, name)

    liability = tuple(
        shapes.money(most, f"{field}.liability[{index}]", 1) for index, most in enumerate(given.liability)
    )
    require(len({most.currency for most in liability}) == len(liability), f"{field}.liability", "two in one currency")
    return ClaimTerms(
        carrier=shapes.carrier(given.carrier, f"{field}.carrier") if given.carrier else "",
        loss_waiting_days=days("loss_waiting_days", 0),
        loss_filing_days=days("loss_filing_days", 1),
        damage_filing_days=days("damage_filing_days", 1),
        liability=liability,
        loss_documents=_documents(given.loss_documents, f"{field}.loss_documents") or default.loss_documents,
        damage_documents=_documents(given.damage_documents, f"{field}.damage_documents") or default.damage_documents,
    )


def _documents(kinds: Iterable[int], field: str) -> tuple[recoveries.DocumentKind, ...]:
    return tuple(dict.fromkeys(_document(kind, f"{field}[{index}]") for index, kind in enumerate(kinds)))


READERS: Readers = {
    pb.AgreePolicyRequest: Reader(agree_policy),
}
