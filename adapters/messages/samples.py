"""What each kind of message could say: templates are checked by it, and previewed where no order is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from adapters.messages.wording import Row, Values
from adapters.messages.words import in_words
from ledger.nouns.messages import Audience, MessageKind
from ledger.terms.clocks import Clock

REASONS: Mapping[MessageKind, tuple[str, ...]] = {
    MessageKind.DISPATCHED: ("", "further"),
    MessageKind.DELAYED: (
        *("customs", "dispatch_late", "backordered", "carrier", "estimate", "on_hold", "not_dispatched"),
    ),
    MessageKind.CUSTOMS_REQUEST: ("payment", "documents"),
    MessageKind.PARCEL_ALERT: (
        *("customs_held", "damaged", "returning", "returned", "refused", "lost", "destroyed", "suspected_lost"),
    ),
    MessageKind.CASE_STEP: (
        *("return_labelled", "opened", "evidence_requested", "under_review", "approved_reship", "approved_exchange"),
        *("approved_refund", "approved_return", "denied", "reship_failed", "return_received", "refund_granted"),
        *("refund_denied", "refund_paid", "resolved", "cancelled", "reopened"),
    ),
    MessageKind.STOCK_ALERT: ("low", "running_out", "sold_out", "stale", "oversold"),
    MessageKind.LISTING: ("delisted", "relisted"),
    MessageKind.UNITS_CANCELLED: ("cancelled", "refund_paid"),
}
"""The words of ``reason``, the one that a preview shows first; a kind that is not named has none."""

CLOCKS: Mapping[MessageKind, tuple[Clock, ...]] = {
    MessageKind.REMINDER: (Clock.DISPATCH, Clock.ACKNOWLEDGE, Clock.ANSWER, Clock.STOCK_UP_ANSWER),
    MessageKind.BREACH_NOTICE: (
        *(Clock.DISPATCH, Clock.ACKNOWLEDGE, Clock.FIRST_SCAN, Clock.ANSWER),
        *(Clock.RECOVERY_ANSWER, Clock.STOCK_UP_ANSWER, Clock.CANCEL_ANSWER, Clock.RESOLUTION),
    ),
    MessageKind.BREACH_ALERT: tuple(Clock),
}
"""The words of ``clock``."""

_LINE: Row = {
    "units": "2",
    "sku": "TEA-250",
    "title": "Green tea, 250 g",
    "goods": "Green tea, 250 g",
    "code": "LJ-77",
    "amount": "19.80 EUR",
}
_OTHER_LINE: Row = {
    **_LINE,
    "units": "1",
    "sku": "MUG",
    "title": "Mug",
    "goods": "Mug",
    "code": "",
    "amount": "8.00 EUR",
}
_DIFFERENCE: Row = {
    "kind": "price",
    "what": "shop/1001/1 TEA-250",
    "units": "2",
    "shipped": "2",
    "expected": "4.00 EUR",
    "amount": "1.00 EUR",
    "invoices": "",
}
_NOT_SHIPPED: Row = {**_DIFFERENCE, "kind": "quantity", "shipped": "1", "expected": "", "amount": "4.00 EUR"}

_EVERYTHING: Mapping[str, str | int | list[Row]] = {
    "name": "Ann Example",
    "shop": "Brook & Sons",
    "order": "1001",
    "order_link": "https://shop.example/orders/1001",
    "tracking_page": "https://track.shop.example/t/kX2mVq7Yb1",
    "supplier": "Acme Ltd",
    "supplier_order": "shop/1001/1",
    "concerns": "shop/1001/1",
    "reason": "",
    "clock": "",
    "inquiry": "q-17",
    "question": "Which glaze do the mugs have?\nA photo would help.",
    "sku": "TEA-250",
    "stock_up": "su-4",
    "units": 400,
    "until": "",
    "carrier": "DHL",
    "number": "00340434161094042557",
    "link": "https://www.dhl.com/en/express/tracking.html?AWB=00340434161094042557",
    "due": "",
    "days": 5,
    "amount": "27.80 EUR",
    "total": "32.70 EUR",
    "charges": "4.90 EUR",
    "compensation": "2.97 EUR",
    "lines": [_LINE, _OTHER_LINE],
    "worth": "27.80 EUR",
    "ship_to": "Ann Example\n1 Elm Street\n10115 Berlin\nDE",
    "packing": "gift wrap",
    "service": "international line (Yanwen, Yunexpress)",
    "note": "Ring twice, please.",
    "collect": "27.80 EUR",
    "gift": 1,
    "express": 1,
    "place": "Leipzig, DE",
    "scanned": "",
    "customs_asks": "payment",
    "answer_by": "",
    "pickup_until": "",
    "invoice": "INV-2026-118",
    "objection": "two lines do not agree with what we ordered",
    "differences": [_DIFFERENCE, _NOT_SHIPPED],
    "available": 12,
    "threshold": 20,
    "cover_days": 3,
    "shortfall": 4,
    "orders_affected": 2,
    "case": "case-7",
    "case_reason": "damaged",
    "remedy": "return",
    "denial": "not_covered",
    "liable": "supplier",
    "exchange_sku": "MUG-BLUE",
    "wanted": [{"what": "photo of label"}, {"what": "photo of damage"}],
    "label": "label-1",
    "label_file": "return-label-label-1.pdf",
    "return_to": "Acme Ltd\n8 Harbour Road\n518000 Shenzhen\nCN",
    "freight_payer": "customer",
    "freight": "4.90 EUR",
    "granted": "22.90 EUR",
    "freight_kept": "4.90 EUR",
}
_MARCH = datetime(2026, 3, 1, 10, tzinfo=UTC)
_DAYS = {"due": 11, "until": 30, "scanned": 6, "answer_by": 13, "pickup_until": 13}
"""Of March 2026."""
_IN_CHINESE: Mapping[str, str | list[Row]] = {
    "name": "李伟",
    "shop": "溪边小店",
    "supplier": "深圳阿克米贸易有限公司",
    "question": "杯子是哪种釉？\n如有照片更好。",
    "lines": [
        {**_LINE, "title": "绿茶 250 克", "goods": "绿茶 250 克"},
        {**_OTHER_LINE, "title": "马克杯", "goods": "马克杯"},
    ],
    "packing": "礼品包装",
    "note": "请放门口。",
    "objection": "有两行与我方订单不符",
    "place": "上海, CN",
    "wanted": [{"what": "面单照片"}, {"what": "破损处照片"}],
}
NOTHING: Values = {
    name: "" if isinstance(value, str) else 0 if isinstance(value, int) else [] for name, value in _EVERYTHING.items()
}
_ALWAYS = ("order", "supplier", "supplier_order", "concerns", "sku", "case", "invoice", "inquiry", "stock_up", "number")
"""What names the subject is there whatever else is not known."""


def a_sample(kind: MessageKind, language: str, reason: str) -> dict[str, str | int | list[Row]]:
    """A message for this reason, or for the first that there is."""
    clock = next(iter(CLOCKS.get(kind, ("",))))
    return sample(kind, language, reason or next(iter(REASONS.get(kind, ("",)))), clock)


def sample(kind: MessageKind, language: str, reason: str = "", clock: str = "") -> dict[str, str | int | list[Row]]:
    """A message of this kind about which everything is known."""
    zone = "Asia/Shanghai" if language == "zh" else "Europe/Berlin"
    days = {name: _day(number, language, zone, kind) for name, number in _DAYS.items()}
    in_language = _IN_CHINESE if language == "zh" else {}
    return {**_EVERYTHING, **in_language, **days, "reason": reason, "clock": clock}


def _day(number: int, language: str, zone: str, kind: MessageKind) -> str:
    with_time = kind.audience is not Audience.CUSTOMER
    return in_words(_MARCH.replace(day=number), language, with_time=with_time, zone=zone)


def samples(kind: MessageKind, language: str) -> Iterator[Values]:
    """What a template of this kind must be able to say: for each reason, knowing all that can be, and little."""
    for reason in REASONS.get(kind, ("",)):
        for clock in CLOCKS.get(kind, ("",)):
            known = sample(kind, language, reason, clock)
            yield known
            yield {**NOTHING, **{name: known[name] for name in (*_ALWAYS, "reason", "clock")}}
