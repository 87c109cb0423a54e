"""Terms of the policy in words: each with its value, in the order in which people read them, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console.terminal import words
from adapters.console.terminal.session import Session
from adapters.console.terminal.words import money
from adapters.console.terms.calendars import in_words, spans_of
from fulfilment.v1 import admin_pb2, calendars_pb2, common_pb2

_GROUPS = {
    "stock": (
        "reservation_minutes",
        "stale_buffer_units",
        "stale_buffer_basis_points",
        "low_stock_units",
        "cover_days",
        "demand_window_days",
    ),
    "sending": (
        "brand_packs",
        "brand_pack_fallback",
        "channel_packing",
        "sending",
        "send_within_hours",
        "shipping_services",
        "customs_allowance_days",
        "held_parcel_costs_minor",
        "on_payment_reversed",
        "seller",
        "suspected_lost_after_days",
        "number_reuse_after_days",
    ),
    "after-sales": (
        "answer_within_hours",
        "first_answer_within_hours",
        "refund_within_hours",
        "evidence_within_days",
        "return_window_days",
        "free_return_within_days",
        "case_approvals",
        "claim_terms",
        "working",
        "peaks",
    ),
    "suppliers": (
        "review_every_days",
        "suspension_least_cases",
        "remind_before_hours",
        "invoice_tolerance_basis_points",
        "invoice_charges_basis_points",
        "reroute_after",
        "rate_targets",
        "rate_weights",
    ),
    "messages": (
        "message_age_hours",
        "message_attempts",
        "message_retry_seconds",
        "message_retry_most_seconds",
        "message_window_minutes",
        "text_quiet_hours",
        "delay_notice_hours",
        "language",
        "languages",
        "staff_language",
        "brands",
        "staff_mail",
    ),
    "people": ("retention", "supplier_days"),
}
"""The terms in the order in which they are shown; others come last."""

MAY_BE_NEVER = admin_pb2.RerouteAfter.DESCRIPTOR
"""A message whose absent hours mean never."""


def print_terms(session: Session, found: admin_pb2.GetPolicyResponse) -> None:
    policy, defaults = found.in_force.policy, dict(terms_in_words(found.defaults))
    group_of = {name: group for group, names in _GROUPS.items() for name in names}
    places = {name: place for place, name in enumerate(group_of)}
    terms = {name: text for name, text in terms_in_words(policy) if _own(name) != "shipping_services"}
    # They are a table of their own, which `shipping services` shows.
    terms["shipping_services"] = ", ".join(each.code for each in policy.shipping_services)
    if policy.shipping_services == found.defaults.shipping_services:
        defaults["shipping_services"] = terms["shipping_services"]
    named = {_own(name) for name in terms}
    terms |= {field.name: "none" for field in policy.DESCRIPTOR.fields if field.name not in named}
    rows, last = [], ""
    for name in sorted(terms, key=lambda name: places.get(_own(name), len(places))):
        group, usual = group_of.get(_own(name), "others"), defaults.get(name, "none")
        rows.append(
            [group if group != last else "", name, terms[name], "yes" if terms[name] == usual else f"no, {usual}"]
        )
        last = group
    session.out.table(["for", "term", "value", "default"], rows)


def _own(name: str) -> str:
    return name.partition(".")[0]


def print_changes(session: Session, changes: list[tuple[str, str, str]]) -> None:
    session.out.table(
        ["term", "was", "is"], [[name, was or "none", now or "none"] for name, was, now in changes], "No term changes."
    )


def changes_between(before: admin_pb2.Policy, after: admin_pb2.Policy) -> list[tuple[str, str, str]]:
    """Each term that differs: its name, what it was, what it is."""
    was, now = dict(terms_in_words(before)), dict(terms_in_words(after))
    pairs = [(name, was.get(name, ""), now.get(name, "")) for name in {**was, **now}]
    return [(name, old, new) for name, old, new in pairs if old != new]


def terms_in_words(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every term with its value in words."""
    for field in message.DESCRIPTOR.fields:
        name, value = prefix + field.name, getattr(message, field.name)
        if field.message_type is None and field.has_presence and not message.HasField(field.name):
            yield name, "never" if message.DESCRIPTOR is MAY_BE_NEVER else "none"
        elif field.message_type is None:
            yield name, _text(field, value, name)
        elif field.message_type.GetOptions().map_entry:
            yield from ((f"{name}.{key}", _entry(value[key])) for key in sorted(value))
        elif field.is_repeated:
            # The first field of a row is what it is known by: a service's code, a carrier.
            first = field.message_type.fields[0]
            yield from (
                (f"{name}.{_one(first, getattr(each, first.name)) or 'any'}", _row(each, first.name)) for each in value
            )
        elif message.HasField(field.name):
            yield from terms_in_words(value, f"{name}.")


def _entry(value: Any) -> str:
    return in_words(value) if isinstance(value, calendars_pb2.WorkingTime) else value


def _text(field: Any, value: Any, name: str = "") -> str:
    if field.name in ("holidays", "extra_days"):
        return spans_of(value, 5)
    if field.is_repeated:
        return ", ".join(_one(field, each) for each in value)
    in_percent = "basis_points" in name or name.startswith("rate_targets.")
    return f"{value} ({value / 100:g} %)" if in_percent else _one(field, value)


def _one(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return words.word_of(field.enum_type, value)
    if isinstance(value, Timestamp):
        return words.to_minute(value.ToDatetime(tzinfo=UTC))
    return money(value.amount_minor, value.currency) if isinstance(value, common_pb2.Money) else str(value)


def _row(message: Message, known_by: str) -> str:
    """A row of a table in one sentence, without empty fields."""
    return "; ".join(
        field.name.replace("_", " ") + ("" if value is True else f" {_text(field, value)}")
        for field, value in message.ListFields()
        if field.name != known_by
    )
