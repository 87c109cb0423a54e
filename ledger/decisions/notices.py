"""Which messages are asked for, for whom and in which language, and what comes of them (DOMAIN 8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from ledger.decisions import relevance
from ledger.facts import Change, changes_of
from ledger.nouns import (
    cases,
    inquiries,
    messages,
    orders,
    parcels,
    policies,
    recoveries,
    stock_ups,
    supplier_invoices,
    suppliers,
    templates,
)
from ledger.nouns.messages import About, Audience, Message, MessageAsked, MessageCancelled, MessageKind, MessageStage
from ledger.nouns.policies import Policy, policy_at
from ledger.view import View

LEDGER = "ledger"
LAST_RESORT = "en"
"""The language that every template is written in."""

BuiltIn = Mapping[tuple[MessageKind, str], int]
"""The newest version of the service's own template of each kind, by language."""

_ROLES = {MessageKind.CASE_DUE: "after_sales", MessageKind.STOCK_ALERT: "supplier_manager"}
"""Which staff gets a message; operations unless it is listed."""


class Notice(NamedTuple):
    """Something that makes a message due."""

    message_id: str
    kind: MessageKind
    about: About
    caused_at: datetime
    cause: int = 0
    """Position of the fact that makes it due; 0 where time alone does."""


def ask(view: View, notice: Notice, built_in: BuiltIn, now: datetime) -> list[Change]:
    """Ask for a message, once. What happened too long ago makes no message and records nothing.

    A message that a fact made due and that is no longer true is asked for and cancelled, so that it is not
    looked at again; where time alone makes it due, nothing is recorded.
    """
    view.need(*streams_of(notice.message_id, notice.about))
    policy = policy_at(policies.find(view), now)
    if messages.find(view, notice.message_id) is not None or policy.too_old(notice.caused_at, now):
        return []
    about = _with_reason(view, notice, now)
    asked = _asked(view, notice._replace(about=about), policy, built_in, now)
    because = relevance.obsolete(view, notice.kind, about, policy)
    if not because:
        return changes_of(messages.stream(notice.message_id), [asked])
    if not notice.cause:
        return []
    cancelled = MessageCancelled(notice.message_id, because, LEDGER, now)
    return changes_of(messages.stream(notice.message_id), [asked, cancelled])


def streams_of(message_id: str, about: About) -> list[str]:
    """The streams that asking for a message, or sending it, reads."""
    kind = message_id.partition("-")[0]
    streams = [messages.stream(message_id), policies.stream(), templates.stream(kind)]
    if about.order_id:
        streams.append(orders.stream(about.order_id))
    if about.supplier_id:
        streams.append(suppliers.stream(about.supplier_id))
    if about.number:
        streams.append(parcels.stream(about.carrier, about.number))
    if about.case_id:
        streams.append(cases.stream(about.case_id))
    if about.inquiry_id:
        streams.append(inquiries.stream(about.inquiry_id))
    if about.recovery_id:
        streams.append(recoveries.stream(about.recovery_id))
    if about.follows:
        streams.append(messages.stream(about.follows))
    streams += map(messages.stream, about.earlier)
    if about.invoice_number:
        streams.append(supplier_invoices.stream(about.supplier_id, about.invoice_number))
    if about.stock_up_id:
        streams.append(stock_ups.stream(about.stock_up_id))
    return streams


def _asked(view: View, notice: Notice, policy: Policy, built_in: BuiltIn, now: datetime) -> MessageAsked:
    kind, about = notice.kind, notice.about
    # Further units of a parcel are told of long after they left, and one after the other.
    since = now if about.further else notice.caused_at
    waits_until = since + timedelta(minutes=policy.message_window_minutes)
    recipient, *wanted = audience_of(view, kind, about, policy)
    template = in_use(view, kind, (*wanted, policy.language), built_in)
    return MessageAsked(
        message_id=notice.message_id,
        kind=kind,
        audience=kind.audience,
        about=about,
        recipient=recipient,
        language=template.language,
        template_version=template.version,
        caused_at=notice.caused_at,
        at=now,
        cause=notice.cause,
        not_before=None if kind.is_urgent or waits_until <= now else waits_until,
        own_template=template.own,
    )


class InUse(NamedTuple):
    """Which template new messages of a kind are written by."""

    language: str
    version: int
    own: bool
    """Whether it is one that the retailer wrote."""


def in_use(view: View, kind: MessageKind, wanted: Iterable[str], built_in: BuiltIn) -> InUse:
    """The template in the first of these languages in which there is one; in English there always is."""
    written = templates.find(view, kind) or templates.Templates()
    for language in (*wanted, LAST_RESORT):
        if (own := written.in_use(language)) is not None:
            return InUse(language, own.version, own=True)
        if (kind, language) in built_in:
            return InUse(language, built_in[kind, language], own=False)
    raise AssertionError(f"there is no template of {kind} in English")


def audience_of(view: View, kind: MessageKind, about: About, policy: Policy) -> tuple[str, ...]:
    """Who gets the message, and the languages to write in, the best first."""
    match kind.audience:
        case Audience.STAFF:
            role = "after_sales" if about.case_id else _ROLES.get(kind, "operations")
            return role, policy.staff_language
        case Audience.SUPPLIER:
            supplier = suppliers.find(view, about.supplier_id) if about.supplier_id else None
            country = supplier.master.country if supplier else ""
            return about.supplier_id, policy.language_of(country)
        case Audience.CUSTOMER:
            order = orders.find(view, about.order_id) if about.order_id else None
            if order is None:
                return "", policy.language
            return orders.anchor(order.order_id), order.placed.language, policy.language_of(order.destination.country)


def _with_reason(view: View, notice: Notice, now: datetime) -> About:
    """Adds the present reason to a delay that time alone shows."""
    about = notice.about
    if notice.kind is not MessageKind.DELAYED or about.because:
        return about
    order = orders.find(view, about.order_id)
    if order is None or about.due is None or now >= about.due:
        return about
    if order.holds:
        return replace(about, because="on_hold")
    return replace(about, because="backordered" if order.units("backordered") else "not_dispatched")


# --- what comes of it -----------------------------------------------------------------------------


def sent(
    view: View, message_ids: Iterable[str], channel: str, reference: str, now: datetime, mail_id: str = ""
) -> list[Change]:
    """A sender accepted the mail of these messages."""
    return [
        change
        for message in _known(view, message_ids)
        for change in changes_of(
            messages.stream(message.message_id), messages.send(message, channel, reference, now, mail_id)
        )
    ]


def failed(
    view: View,
    message_ids: Iterable[str],
    error: str,
    lasting: bool,
    now: datetime,
    answer: str = "",
    mail_id: str = "",
) -> list[Change]:
    """A sender did not accept the mail of these messages: try again as the policy says, or never."""
    policy = policy_at(policies.find(view), now)
    return [
        change
        for message in _known(view, message_ids)
        for change in changes_of(
            messages.stream(message.message_id),
            messages.fail(message, error, lasting, policy, now, answer, mail_id),
        )
    ]


def look_again(view: View, message_id: str, reachable: bool, now: datetime) -> list[Change]:
    """A message reached nobody, and something changed since: is it still true, and has its reader an address now?

    ``reachable`` says whether a mail can be sent to what is known of the reader.
    """
    message = messages.known(messages.find(view, message_id), message_id)
    if not message.reached_nobody:
        return []
    policy, stream = policy_at(policies.find(view), now), messages.stream(message_id)
    if because := relevance.obsolete(view, message.asked.kind, message.asked.about, policy):
        return changes_of(stream, messages.end(message, because, now))
    if not (reachable and message.lacks_address):
        return []
    tried_at = message.sent_at if message.stage is MessageStage.BOUNCED else message.given_up_at
    since = _reached_since(view, message.asked, now)
    if since is None or tried_at is None or since <= tried_at or policy.too_old(since, now):
        return []
    return changes_of(stream, messages.retry(message, LEDGER, now))


def end(view: View, message_id: str, because: str, now: datetime) -> list[Change]:
    """Nobody needs to be told it any more; of one that is not given up, or ended before, nothing is recorded."""
    message = messages.known(messages.find(view, message_id), message_id)
    return changes_of(messages.stream(message_id), messages.end(message, because, now))


def _reached_since(view: View, asked: MessageAsked, now: datetime) -> datetime | None:
    """Since when its reader is reached as it is now; None if that is not known."""
    match asked.audience:
        case Audience.CUSTOMER:
            order = orders.find(view, asked.about.order_id)
            return order.reached_since if order is not None else None
        case Audience.SUPPLIER:
            supplier = suppliers.find(view, asked.about.supplier_id)
            return supplier.reached_since if supplier is not None else None
        case Audience.STAFF:
            terms = policies.find(view)
            return terms.version_at(now)[0] if terms is not None else None


def _known(view: View, message_ids: Iterable[str]) -> list[Message]:
    return [messages.known(messages.find(view, each), each) for each in message_ids]


def bounced(view: View, message_id: str, mail_id: str, status: str, answer: str, at: datetime) -> list[Change]:
    """A mail server reported that the mail of this message reached nobody."""
    message = messages.known(messages.find(view, message_id), message_id)
    return changes_of(messages.stream(message_id), messages.bounce(message, mail_id, status, answer, at))


def cancel(view: View, message_id: str, because: str, by: str, now: datetime) -> list[Change]:
    """The message is not to be sent."""
    message = messages.known(messages.find(view, message_id), message_id)
    return changes_of(messages.stream(message_id), messages.cancel(message, because, by, now))


def retry(view: View, message_id: str, by: str, now: datetime) -> list[Change]:
    """A person wants it tried again."""
    message = messages.known(messages.find(view, message_id), message_id)
    return changes_of(messages.stream(message_id), messages.retry(message, by, now))
