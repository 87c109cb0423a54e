"""The retailer's own terms, which AdminService takes."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, reads
from adapters.rpc.asks.recoveries import claim_terms
from adapters.rpc.shapes import count, instant, require, text, words
from fulfilment.v1 import admin_pb2, shipping_pb2
from ledger import policies, rates
from ledger.countries import COUNTRIES
from ledger.shipping import ShippingService
from ledger.stock import LONGEST_DEMAND_DAYS
from ledger.values import policy_stream

_WEEK = 7 * 86_400


@reads(admin_pb2.AgreePolicyRequest)
def agree_policy(request: admin_pb2.AgreePolicyRequest, edge: Edge) -> Ask:
    require(request.HasField("policy"), "policy", "is required")
    given, default = request.policy, policies.Policy()
    policy = policies.Policy(
        count(given.reservation_minutes, "policy.reservation_minutes", 0, 43_200) or default.reservation_minutes,
        count(given.return_window_days, "policy.return_window_days", 0, 1000) or default.return_window_days,
        count(given.suspected_lost_after_days, "policy.suspected_lost_after_days", 0, 1000)
        or default.suspected_lost_after_days,
        count(given.number_reuse_after_days, "policy.number_reuse_after_days", 0, 10_000)
        or default.number_reuse_after_days,
        count(given.stale_buffer_units, "policy.stale_buffer_units"),
        _stale_buffer_share(given),
        count(given.low_stock_units, "policy.low_stock_units"),
        count(given.cover_days, "policy.cover_days", 0, LONGEST_DEMAND_DAYS) or default.cover_days,
        count(given.demand_window_days, "policy.demand_window_days", 0, LONGEST_DEMAND_DAYS)
        or default.demand_window_days,
        claim_terms=claim_terms(given.claim_terms, "policy.claim_terms"),
        answer_within_hours=count(given.answer_within_hours, "policy.answer_within_hours", 0, 10_000)
        or default.answer_within_hours,
        targets=rates.Targets(**_given(given.rate_targets, "policy.rate_targets", 10_000)),
        review_weights=rates.Weights(**_given(given.rate_weights, "policy.rate_weights", 1000)),
        review_every_days=count(given.review_every_days, "policy.review_every_days", 0, 1000)
        or default.review_every_days,
        suspension_least_cases=count(given.suspension_least_cases, "policy.suspension_least_cases")
        or default.suspension_least_cases,
        message_age_hours=count(given.message_age_hours, "policy.message_age_hours", 0, 8760)
        or default.message_age_hours,
        message_attempts=count(given.message_attempts, "policy.message_attempts", 0, 1000) or default.message_attempts,
        message_retry_seconds=count(given.message_retry_seconds, "policy.message_retry_seconds", 0, _WEEK)
        or default.message_retry_seconds,
        message_retry_most_seconds=count(
            given.message_retry_most_seconds, "policy.message_retry_most_seconds", 0, _WEEK
        )
        or default.message_retry_most_seconds,
        remind_before_hours=count(given.remind_before_hours, "policy.remind_before_hours", 0, 1000)
        or default.remind_before_hours,
        delay_notice_hours=count(given.delay_notice_hours, "policy.delay_notice_hours", 0, 1000)
        or default.delay_notice_hours,
        language=shapes.language(given.language, "policy.language") or default.language,
        languages=tuple(
            (shapes.country(country, "policy.languages"), shapes.language(language, "policy.languages"))
            for country, language in sorted(given.languages.items())
        )
        or default.languages,
        staff_language=shapes.language(given.staff_language, "policy.staff_language") or default.staff_language,
        brand_packs=words(given.brand_packs, "policy.brand_packs") or default.brand_packs,
        brand_pack_fallback=text(given.brand_pack_fallback, "policy.brand_pack_fallback", 50)
        or default.brand_pack_fallback,
        shipping_services=_services(given.shipping_services) or default.shipping_services,
        customs_allowance_days=_customs_allowance(given),
        seller=_seller(given.seller) if given.HasField("seller") else None,
        first_answer_within_hours=count(given.first_answer_within_hours, "policy.first_answer_within_hours", 0, 1000)
        or default.first_answer_within_hours,
        evidence_within_days=count(given.evidence_within_days, "policy.evidence_within_days", 0, 1000)
        or default.evidence_within_days,
        free_return_within_days=count(given.free_return_within_days, "policy.free_return_within_days", 0, 1000),
        reroute_after=_reroute_after(given),
    )
    since = instant(request, "effective_from") or edge.now
    return Ask(lambda view: policies.agree(view.policy(), policy, since, edge.now), (policy_stream(),))


def _stale_buffer_share(given: admin_pb2.Policy) -> int:
    """Here none at all is as good an answer as any, so it is told from no answer."""
    if not given.HasField("stale_buffer_basis_points"):
        return policies.Policy().stale_buffer_basis_points
    return count(given.stale_buffer_basis_points, "policy.stale_buffer_basis_points", 0, 10_000)


def _given(message: Message, field: str, most: int) -> dict[str, int]:
    """The fields of a message that were filled."""
    return {each.name: count(value, f"{field}.{each.name}", 0, most) for each, value in message.ListFields()}


def _customs_allowance(given: admin_pb2.Policy) -> int:
    """Here no day at all is as good an answer as any, so it is told from no answer."""
    if not given.HasField("customs_allowance_days"):
        return policies.Policy().customs_allowance_days
    return count(given.customs_allowance_days, "policy.customs_allowance_days", 0, 365)


def _reroute_after(given: admin_pb2.Policy) -> policies.RerouteAfter:
    """Here hours that are left out mean never, and only where nothing is said at all the default holds."""
    if not given.HasField("reroute_after"):
        return policies.Policy().reroute_after
    return policies.RerouteAfter(**_given(given.reroute_after, "policy.reroute_after", 8760))


def _services(given: Sequence[shipping_pb2.ShippingService]) -> tuple[ShippingService, ...]:
    field = "policy.shipping_services"
    require(len(given) <= 200, field, f"{len(given)} services, 200 at most")
    services = tuple(_service(each, f"{field}[{index}]") for index, each in enumerate(given))
    require(len({each.code for each in services}) == len(services), field, "two services have the same code")
    one_currency = len({each.cost.currency for each in services}) <= 1
    require(one_currency, field, "are priced in several currencies; they cannot be compared")
    return services


def _service(given: shipping_pb2.ShippingService, field: str) -> ShippingService:
    require(0 < len(given.carriers) <= 20, f"{field}.carriers", "is required: 1 to 20 carriers")
    require(len(given.most_value) <= 20, f"{field}.most_value", "more than 20 amounts")
    days_from = count(given.days_from, f"{field}.days_from", 0, 365)
    return ShippingService(
        shapes.plain_id(given.code, f"{field}.code"),
        tuple(shapes.carrier(each, f"{field}.carriers[{i}]") for i, each in enumerate(given.carriers)),
        given.international,
        days_from,
        count(given.days_to, f"{field}.days_to", days_from, 365),
        shapes.money(given.cost, f"{field}.cost"),
        count(given.cost_per_kg_minor, f"{field}.cost_per_kg_minor", most=10**12),
        given.tracked,
        count(given.most_weight_grams, f"{field}.most_weight_grams", most=10**9),
        tuple(shapes.money(each, f"{field}.most_value[{i}]") for i, each in enumerate(given.most_value)),
        _countries(given.origins, f"{field}.origins"),
        _countries(given.destinations, f"{field}.destinations"),
    )


def _countries(given: Sequence[str], field: str) -> tuple[str, ...]:
    for index, country in enumerate(given):
        require(country in COUNTRIES, f"{field}[{index}]", f"{country!r} is not an ISO 3166-1 alpha-2 code such as DE")
    return tuple(given)


def _seller(given: admin_pb2.Seller) -> policies.Seller:
    field = "policy.seller"
    require(len(given.address) <= 5, f"{field}.address", f"{len(given.address)} lines, 5 at most")
    return policies.Seller(
        text(given.name, f"{field}.name", 200, required=True),
        tuple(text(line, f"{field}.address[{index}]", 200) for index, line in enumerate(given.address)),
        shapes.country(given.country, f"{field}.country"),
        text(given.tax_id, f"{field}.tax_id", 50),
    )
