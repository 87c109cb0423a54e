"""The retailer's own terms, which AdminService takes."""

from __future__ import annotations

from google.protobuf.message import Message

from adapters.rpc import shapes
from adapters.rpc.asks.ask import Ask, Edge, reads
from adapters.rpc.asks.recoveries import claim_terms
from adapters.rpc.shapes import count, instant, require, text, words
from fulfilment.v1 import admin_pb2
from ledger import policies, rates
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
