"""Letters that are not sent: a message about an order as it could be, or one about samples."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from adapters.messages.library import TemplateSource, newest
from adapters.messages.samples import CLOCKS, REASONS
from ledger.decisions.notices import audience_of, in_use
from ledger.nouns.messages import About, MessageAsked, MessageKind
from ledger.nouns.orders import Order
from ledger.nouns.policies import Policy
from ledger.view import View

NO_ORDER = frozenset(
    {MessageKind.STOCK_ALERT, MessageKind.LISTING, MessageKind.STOCK_UP_REQUEST, MessageKind.INVOICE_DISPUTE}
)
"""Kinds that are about no order."""


def about(order: Order, kind: MessageKind, reason: str) -> About:
    """What a message of this kind would be about: the newest part, parcel and case of the order."""
    supplier_orders, cases = list(order.supplier_orders.values()), order.after_sales.open_cases
    part = supplier_orders[-1] if supplier_orders and kind not in _OF_AN_ORDER else None
    parcel = order.shipments[-1] if order.shipments and kind in _OF_A_PARCEL else None
    return About(
        order.order_id,
        part.supplier_order_id if part is not None else "",
        part.supplier_id if part is not None else "",
        parcel.carrier if parcel is not None else "",
        parcel.number if parcel is not None else "",
        parcel.epoch if parcel is not None else 0,
        clock=next(iter(CLOCKS.get(kind, ("",)))),
        due=order.promised_by,
        because=reason or next(iter(REASONS.get(kind, ("",)))),
        case_id=cases[-1] if cases and kind in _OF_A_CASE else "",
    )


_OF_A_PARCEL = frozenset(
    {
        *(MessageKind.DISPATCHED, MessageKind.OUT_FOR_DELIVERY, MessageKind.ATTEMPT_FAILED, MessageKind.LOST),
        *(MessageKind.READY_FOR_PICKUP, MessageKind.CUSTOMS_REQUEST, MessageKind.DELIVERED, MessageKind.PARCEL_ALERT),
        *(MessageKind.TRACKING_CORRECTED, MessageKind.LAST_MILE),
    }
)
_OF_A_CASE = frozenset({MessageKind.CASE_STEP, MessageKind.CASE_DUE})
_OF_AN_ORDER = frozenset({MessageKind.ORDER_CONFIRMED, MessageKind.UNITS_CANCELLED, *_OF_A_CASE})


class PreviewWish(NamedTuple):
    """What is to be previewed."""

    kind: MessageKind
    language: str
    """Empty means the reader's."""
    reason: str
    """Empty means any."""
    draft: TemplateSource | None
    """A template that is tried out; None means the one in use."""


def asked(view: View, wish: PreviewWish, what: About, policy: Policy, now: datetime) -> MessageAsked:
    """As it would be asked for now, in the language that is wanted or else the reader's."""
    kind = wish.kind
    recipient, *wanted = audience_of(view, kind, what, policy)
    wanted = [wish.language] if wish.language else [*wanted, policy.language]
    template = in_use(view, kind, wanted, newest())
    message = MessageAsked(
        message_id=f"{kind}-preview",
        kind=kind,
        audience=kind.audience,
        about=what,
        recipient=recipient,
        language=template.language,
        template_version=template.version,
        caused_at=now,
        at=now,
    )
    if wish.draft is not None:
        return replace(message, language=wish.language or template.language, template_version=0)
    return replace(message, own_template=template.own)
