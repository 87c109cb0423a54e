"""``fulfilment policy``: the retailer's own terms, and how to change some of them and keep the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC
from difflib import get_close_matches
from typing import Any, TypeVar

import click
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.console import files, words
from adapters.console.calendars import (
    change_calendar,
    in_words,
    option_calendar,
    option_peaks,
    spans_of,
    to_weekdays,
    to_working_time,
)
from adapters.console.client import RequestRefused
from adapters.console.commands import Nouns, option_request_id
from adapters.console.past import AS_OF
from adapters.console.session import Session
from adapters.console.words import minute, money
from fulfilment.v1 import admin_pb2, calendars_pb2, common_pb2

T = TypeVar("T")

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

_MAY_BE_NEVER = admin_pb2.RerouteAfter.DESCRIPTOR
"""A message whose absent hours mean never."""


@click.group(cls=Nouns)
def policy() -> None:
    """Show and change the retailer's own terms."""


@policy.command()
@click.option("--at", type=words.INSTANT, help="As agreed for then; now if not said.")
@AS_OF
@click.pass_obj
def show(session: Session, at: Timestamp | None, as_of: common_pb2.AsOf | None) -> None:
    """Show the terms in force, which of them are the trade's defaults, and what was agreed for later."""
    found = _read(session, at, as_of=as_of)
    if session.json:
        session.show(found)
        return
    since = minute(found.in_force, "effective_from")
    session.out.title("Policy", f"in force since {since}" if since else "nothing was agreed: the trade's defaults")
    session.out.blank()
    _print_terms(session, found)
    before = found.in_force.policy
    for version in found.to_come:
        session.out.blank()
        session.out.title("Policy", f"from {minute(version, 'effective_from')}")
        _print_changes(session, _changes(before, version.policy))
        before = version.policy


@policy.command("set")
@click.argument("terms", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@click.option(
    "--file",
    "source",
    metavar="FILE",
    help="Terms as protobuf JSON of Policy, such as shipping_services; - reads standard input.",
)
@option_request_id()
@click.pass_obj
def change(
    session: Session, terms: tuple[str, ...], effective_from: Timestamp | None, source: Any, request_id: str | None
) -> None:
    """Change some of the terms in force; all others stay as they are.

    NAME is as `policy show` has it, with a point for a part: rate_targets.order_error=150, languages.FR=fr. Lists
    take commas. NAME= brings the trade's default back, and reroute_after.dispatch_hours=never leaves it to people.
    Of a file those terms change that it names, tables and lists as a whole.
    """
    if not terms and source is None:
        raise click.UsageError("Say what changes, as NAME=VALUE or with --file.")
    found = _read(session, effective_from)
    wanted = admin_pb2.Policy()
    wanted.CopyFrom(found.in_force.policy)
    if source is not None:
        _take(wanted, files.text(source))
    for term in terms:
        name, equals, value = term.partition("=")
        if not equals:
            raise click.UsageError(f"{term!r} is not NAME=VALUE such as return_window_days=30")
        _set(wanted, found.defaults, name, name, value.strip())
    _agree(session, found, wanted, effective_from, request_id)


@policy.command()
@option_calendar
@option_peaks("the retailer's own")
@click.option("--from", "effective_from", type=words.INSTANT, help="From then on; now if not said.")
@option_request_id()
@click.pass_obj
def calendar(session: Session, /, effective_from: Timestamp | None, request_id: str | None, **said: Any) -> None:
    """Say when the retailer works; what is not named stays as it is.

    Its own clocks go by it where they are in working time: policy set working.terms.answer_within=1wd.
    """
    found = _read(session, effective_from)
    wanted = admin_pb2.Policy()
    wanted.CopyFrom(found.in_force.policy)
    own = calendars_pb2.WorkingCalendar()
    own.CopyFrom(wanted.working.calendar)
    if change_calendar(own, said):
        wanted.working.calendar.CopyFrom(own)
    for since, until, hours in said["peaks"]:
        wanted.peaks.add(since=since, until=until, extra_hours=hours)
    _agree(session, found, wanted, effective_from, request_id)


def _agree(
    session: Session,
    found: admin_pb2.GetPolicyResponse,
    wanted: admin_pb2.Policy,
    effective_from: Timestamp | None,
    request_id: str | None,
) -> None:
    """Agree the terms that are wanted instead of those found in force, and tell what changed."""
    before = found.in_force
    if wanted == before.policy:
        if session.json:
            session.out.json({"receipt": None, "changed": {}, "in_force": words.as_json(before)})
        else:
            session.out.say("Nothing changes: these terms are in force.")
        return
    request = admin_pb2.AgreePolicyRequest(
        context=session.client.context(request_id),
        policy=wanted,
        effective_from=effective_from,
        seen_versions=found.versions,
    )
    try:
        receipt = session.client.call(session.client.admin.AgreePolicy, request)
    except RequestRefused as refused:
        raise refused.seen_from("policy") from None
    after = _read(session, effective_from, receipt.position)
    changes = _changes(before.policy, after.in_force.policy)
    if session.json:
        changed = {name: {"was": was, "is": now} for name, was, now in changes}
        session.out.json(
            {"receipt": words.as_json(receipt), "changed": changed, "in_force": words.as_json(after.in_force)}
        )
        return
    session.out.title("Policy", f"from {minute(after.in_force, 'effective_from')}")
    _print_changes(session, changes)
    for version in after.to_come:
        since = version.effective_from.ToJsonString()
        follow = minute(version, "effective_from")
        session.out.say(f"Terms agreed earlier follow on {follow}; change them as well with --from {since}.")


def _read(
    session: Session, at: Timestamp | None, at_least: int = 0, as_of: common_pb2.AsOf | None = None
) -> admin_pb2.GetPolicyResponse:
    request = admin_pb2.GetPolicyRequest(at=at, at_least=at_least, as_of=as_of)
    return session.client.call(session.client.admin.GetPolicy, request)


# --- changing -------------------------------------------------------------------------------------


def _set(message: Message, usual: Message, whole: str, name: str, value: str) -> None:
    """Sets a term by its name; without a value the default comes back."""
    own, _, part = name.partition(".")
    field = message.DESCRIPTOR.fields_by_name.get(own)
    if field is None or (part and field.message_type is None):
        raise click.UsageError(f"the policy has no term {whole}{_nearest(whole)}")
    if not value and not part:
        _reset(message, usual, field)
    elif value == "never" and message.DESCRIPTOR is _MAY_BE_NEVER:
        message.ClearField(own)
    elif field.message_type is None:
        _fill(message, field, whole, value)
    elif field.message_type.GetOptions().map_entry:
        _set_entry(getattr(message, own), whole, part, value)
    elif field.is_repeated:
        raise click.UsageError(f"{own} is a table: give it as a whole with --file; `policy show --json` prints it")
    elif not part:
        raise click.UsageError(f"{whole} has parts, such as {whole}.{field.message_type.fields[0].name}")
    else:
        _set(getattr(message, own), getattr(usual, own), whole, part, value)


def _reset(message: Message, usual: Message, field: Any) -> None:
    """As the trade has it; what is left out of the whole policy is filled in by the service."""
    message.ClearField(field.name)
    if field.message_type is None and field.has_presence and usual.HasField(field.name):
        setattr(message, field.name, getattr(usual, field.name))


def _fill(message: Message, field: Any, whole: str, value: str) -> None:
    if field.enum_type is calendars_pb2.Weekday.DESCRIPTOR:
        getattr(message, field.name)[:] = _typed(to_weekdays, value)
    elif field.is_repeated:
        getattr(message, field.name)[:] = [each.strip() for each in value.split(",")]
    elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        setattr(message, field.name, value)
    elif field.enum_type is not None:
        setattr(message, field.name, _number(field.enum_type, whole, value))
    else:
        try:
            setattr(message, field.name, int(value))
        except ValueError:
            raise click.UsageError(f"{whole} takes a whole number up to {2**31 - 1}, not {value!r}") from None


def _number(enum: Any, whole: str, value: str) -> int:
    numbers: dict[str, int] = {words.word_of(enum, each.number): each.number for each in enum.values if each.number}
    found = numbers.get(value.replace("_", " "))
    if found is None:
        raise click.UsageError(f"{whole} is one of {', '.join(name.replace(' ', '_') for name in numbers)}")
    return found


def _set_entry(entries: Any, whole: str, key: str, value: str) -> None:
    if not key:
        raise click.UsageError(f"{whole} is set one by one, such as {whole}.DE=de")
    if not value:
        entries.pop(key, None)
    elif whole.startswith("working.terms."):
        term = _typed(to_working_time, value)
        if isinstance(term, int):
            raise click.UsageError(f"{whole} takes working time such as 2wd or 16wh, not {value!r}")
        entries[key].CopyFrom(term)
    else:
        entries[key] = value


def _typed(read: Callable[[str], T], value: str) -> T:
    try:
        return read(value)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _nearest(name: str) -> str:
    near = get_close_matches(name, _names(admin_pb2.Policy.DESCRIPTOR), 1)
    return f"; did you mean {near[0]}?" if near else "; `policy show` lists them"


def _names(descriptor: Any) -> Iterator[str]:
    for field in descriptor.fields:
        yield field.name
        if field.message_type is not None and not field.is_repeated:
            yield from (f"{field.name}.{part}" for part in _names(field.message_type))


def _take(message: Message, text: str) -> None:
    """Replaces what the file names."""
    try:
        json_format.Parse(text, admin_pb2.Policy())
    except json_format.ParseError as error:
        said = str(error).partition("\n")[0]
        raise click.UsageError(f"--file is no Policy in protobuf JSON: {said}") from None
    _make_room(message, json.loads(text))
    json_format.Parse(text, message)


def _make_room(message: Message, tree: Mapping[str, Any]) -> None:
    """Reading JSON adds to lists and tables, so those it names are emptied before."""
    fields: Any = message.DESCRIPTOR.fields
    for field in fields:
        for name in {field.name, field.json_name} & tree.keys():
            if isinstance(tree[name], dict) and not field.message_type.GetOptions().map_entry:
                _make_room(getattr(message, field.name), tree[name])
            else:
                message.ClearField(field.name)


# --- showing --------------------------------------------------------------------------------------


def _print_terms(session: Session, found: admin_pb2.GetPolicyResponse) -> None:
    policy, defaults = found.in_force.policy, dict(_terms_in_words(found.defaults))
    group_of = {name: group for group, names in _GROUPS.items() for name in names}
    places = {name: place for place, name in enumerate(group_of)}
    terms = {name: text for name, text in _terms_in_words(policy) if _own(name) != "shipping_services"}
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


def _print_changes(session: Session, changes: list[tuple[str, str, str]]) -> None:
    session.out.table(
        ["term", "was", "is"], [[name, was or "none", now or "none"] for name, was, now in changes], "No term changes."
    )


def _changes(before: admin_pb2.Policy, after: admin_pb2.Policy) -> list[tuple[str, str, str]]:
    """Each term that differs: its name, what it was, what it is."""
    was, now = dict(_terms_in_words(before)), dict(_terms_in_words(after))
    pairs = [(name, was.get(name, ""), now.get(name, "")) for name in {**was, **now}]
    return [(name, old, new) for name, old, new in pairs if old != new]


def _terms_in_words(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every term with its value in words."""
    for field in message.DESCRIPTOR.fields:
        name, value = prefix + field.name, getattr(message, field.name)
        if field.message_type is None and field.has_presence and not message.HasField(field.name):
            yield name, "never" if message.DESCRIPTOR is _MAY_BE_NEVER else "none"
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
            yield from _terms_in_words(value, f"{name}.")


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
